"""Ratings: from votes to numbers with honest intervals. Pure numpy and scipy, float64.

elo             one game at a time, and the scale that ties points to odds and to nats
votes           rankings and pairs in long format
bradley_terry   all votes at once: maximum likelihood or with a weak prior, ties, groups
tables          a fit as ratings, ranks, differences and win probabilities
intervals       Wilson, clustered means and rates, bootstrap, sandwich
agreement       raw agreement, the kappas, Krippendorff's alpha, labelers one by one
"""
