# Golden results of R for tests/ratings/test_golden.py. Run in this folder:
#   Rscript make_golden.R
# with R 4.2.2, BradleyTerry2 1.1-2, psychotools 0.7-2, sandwich 3.0-2 and clubSandwich 0.5.8.
# votes.csv is simulated; the other tables are in the script, with their sources.
suppressMessages({
  library(BradleyTerry2)
  library(psychotools)
  library(sandwich)
  library(clubSandwich)
})

out <- data.frame()
keep <- function(set, quantity, first, second, value) {
  out <<- rbind(out, data.frame(set, quantity, first, second, value = sprintf("%.10g", value)))
}
# Strengths relative to the first player, with standard errors of these differences.
keep_abilities <- function(set, fit) {
  table <- BTabilities(fit)
  for (name in rownames(table)) {
    keep(set, "ability", name, "", table[name, "ability"])
    keep(set, "se", name, "", table[name, "s.e."])
  }
  keep(set, "log_likelihood", "", "", as.numeric(logLik(fit)))
}

# 1. Wins of the row over the column, four teams (Wikipedia, "Bradley-Terry model").
teams <- matrix(c(0, 2, 0, 1, 3, 0, 5, 0, 0, 3, 0, 1, 4, 0, 3, 0), 4, byrow = TRUE,
                dimnames = list(letters[1:4], letters[1:4]))
# 2. Citations between journals of statistics, 1987-88: row cited by column, as "row beats column"
#    (Stigler 1994, "Citation patterns in the journals of statistics and probability", table 2).
journals <- matrix(c(0, 730, 498, 221, 33, 0, 68, 17, 320, 813, 0, 142, 284, 276, 325, 0), 4,
                   byrow = TRUE)
dimnames(journals) <- rep(list(c("Biometrika", "CommStat", "JASA", "JRSSB")), 2)
as_counts <- function(wins) {
  counts <- countsToBinomial(wins)
  counts[counts$win1 + counts$win2 > 0, ]
}
for (set in c("teams", "journals")) {
  wins <- list(teams = teams, journals = journals)[[set]]
  for (i in rownames(wins)) for (j in colnames(wins)) keep(set, "wins", i, j, wins[i, j])
  fit <- BTm(cbind(win1, win2), player1, player2, data = as_counts(wins))
  keep_abilities(set, fit)
  probit <- BTm(cbind(win1, win2), player1, player2, data = as_counts(wins),
                family = binomial(link = "probit"))
  table <- BTabilities(probit)
  for (name in rownames(table)) {
    keep(set, "probit_ability", name, "", table[name, "ability"])
    keep(set, "probit_se", name, "", table[name, "s.e."])
  }
}

# 3. American League baseball 1987, home and away (Agresti 2002, "Categorical data analysis",
#    table 10.10): without and with the advantage of playing at home.
data(baseball)
for (r in seq_len(nrow(baseball))) {
  game <- baseball[r, ]
  keep("baseball", "home_wins", as.character(game$home.team), as.character(game$away.team),
       game$home.wins)
  keep("baseball", "away_wins", as.character(game$home.team), as.character(game$away.team),
       game$away.wins)
}
plain <- BTm(cbind(home.wins, away.wins), home.team, away.team, data = baseball, id = "team")
keep_abilities("baseball", plain)
baseball$home.team <- data.frame(team = baseball$home.team, at.home = 1)
baseball$away.team <- data.frame(team = baseball$away.team, at.home = 0)
home <- update(plain, formula = ~ team + at.home)
keep_abilities("baseball_home", home)
keep("baseball_home", "coefficient", "at.home", "", coef(home)["at.home"])
keep("baseball_home", "coefficient_se", "at.home", "", sqrt(vcov(home)["at.home", "at.home"]))

# 4. Simulated votes of eight labelers on five policies, ties left out, with a covariate.
votes <- read.csv("votes.csv")
decided <- votes[votes$winner != "tie", ]
names <- sort(unique(c(votes$a, votes$b)))
design <- sapply(names[-1], function(n) (decided$a == n) - (decided$b == n))
colnames(design) <- names[-1]
decided$won <- as.numeric(decided$winner == "a")
for (set in c("votes", "votes_length")) {
  x <- if (set == "votes") design else cbind(design, length = decided$length)
  fit <- glm(decided$won ~ x - 1, family = binomial, control = list(epsilon = 1e-12))
  covariances <- list(
    model = vcov(fit),
    labeler = vcovCL(fit, decided$labeler, type = "HC0", cadjust = TRUE),
    prompt = vcovCL(fit, decided$prompt, type = "HC0", cadjust = TRUE),
    both = vcovCL(fit, list(decided$labeler, decided$prompt), type = "HC0", cadjust = TRUE,
                  multi0 = FALSE),
    cr2 = as.matrix(vcovCR(fit, decided$labeler, type = "CR2"))
  )
  labels <- colnames(x)
  for (i in labels) keep(set, "coefficient", i, "", coef(fit)[paste0("x", i)])
  for (kind in names(covariances)) {
    v <- covariances[[kind]]
    dimnames(v) <- list(labels, labels)
    for (i in labels) for (j in labels) if (i <= j) keep(set, kind, i, j, v[i, j])
  }
  tests <- coef_test(fit, vcovCR(fit, decided$labeler, type = "CR2"), test = "Satterthwaite")
  for (r in seq_along(labels)) keep(set, "satterthwaite_df", labels[r], "", tests$df_Satt[r])
}

# 5. The same votes with ties, by Davidson's model (undecided in psychotools' btmodel).
ends <- which(upper.tri(diag(length(names))), arr.ind = TRUE)  # p:q, p:r, q:r, p:s, ... as paircomp
pairs <- cbind(names[ends[, 1]], names[ends[, 2]])
responses <- matrix(NA_real_, nrow(votes), nrow(pairs))
for (v in seq_len(nrow(votes))) {
  low <- min(votes$a[v], votes$b[v])
  high <- max(votes$a[v], votes$b[v])
  sign <- if (votes$winner[v] == "tie") 0 else if ((votes$winner[v] == "a") == (votes$a[v] == low)) 1 else -1
  responses[v, pairs[, 1] == low & pairs[, 2] == high] <- sign
}
compared <- paircomp(responses, labels = names, mscale = c(-1, 0, 1))
davidson <- btmodel(compared, type = "loglin", ref = names[1], undecided = TRUE)
estimates <- coef(davidson)
errors <- sqrt(diag(vcov(davidson)))
for (i in names(estimates)) {
  keep("votes_ties", "coefficient", i, "", estimates[i])
  keep("votes_ties", "se", i, "", errors[i])
}
write.csv(out, "golden.csv", row.names = FALSE, quote = FALSE)
