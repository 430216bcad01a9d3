"""Ratings: from votes to numbers with honest intervals. Pure numpy and scipy, float64.

From votes to a fit:

votes           rankings and pairs in long format
cells, tally    votes as counts, all at once or piece by piece
fit             one door to all models; a weak prior or exact maximum likelihood
bradley_terry   thurstone, davidson, rao_kupper: one vote under each model, no more
plackett_luce   whole rankings with ties; choices: their model
likelihood      what all models of a vote share; newton climbs it; pair_models puts them together
covariance      clustered one way and two; few_clusters: corrections; bootstrap: resampled
problems        what votes leave open, by name; transitivity: circles

From a fit to what people read:

fitted          strengths with their covariance
tables          ratings, differences, effects of covariates, win probabilities
contrasts       how uncertain each difference is
ranks           ranks that hold together, the probability of being best
anytime         intervals for those who peek
power, active   how many votes are missing, and which to ask for next
influence       how few votes make another policy lead
summary         all of it as plain numbers

Labelers and the rest:

agreement       raw agreement, the ceiling it sets; kappa, alpha, ranking_agreement
reliability     habits of each labeler; labeler_model, careless, labeler_table
intervals       Wilson, clustered means and rates, percentiles
elo             one game at a time, and the scale that ties points to odds and to nats
"""
