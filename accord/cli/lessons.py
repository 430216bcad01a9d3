"""What each stage does, in words: the text of ``accord <stage> --help``."""

from dataclasses import dataclass

__all__ = ["LESSONS", "Lesson"]


@dataclass(frozen=True)
class Lesson:
    """One stage explained to somebody who has not met it."""

    summary: str  #: one line, for the list of commands
    takes: str
    makes: str
    rule: str  #: the formula or the rule, in words
    example: str  #: arguments after the command's name

    def text(self, command: str) -> str:
        """The help text; its tables of inputs and settings follow it."""
        example = " \\\n    ".join(part.strip() for part in self.example.strip().splitlines())
        return (
            f"{self.summary}\n\n"
            f"Takes: {self.takes}\n\n"
            f"Makes: {self.makes}\n\n"
            f"Rule: {self.rule}\n\n"
            f"Example:\n\n    accord {command} {example}\n\n"
            f"More: docs/stages/{command.replace('-', '_')}.md"
        )


LESSONS = {
    "world": Lesson(
        summary="Write a small world whose truth is known, with its texts and prompts.",
        takes="nothing but a seed.",
        makes="pretraining text of mixed quality, demonstrations, prompts for training and for "
        "evaluation, public comparisons, and the whole truth in world.json.",
        rule="what is helpful, honest and harmless is written down, so that at the end every "
        "answer can be judged; training never reads the truth.",
        example="--out out/world --set seed=1",
    ),
    "many_worlds": Lesson(
        summary="Write the text of many worlds, for a base model that knows no single one.",
        takes="nothing but a seed.",
        makes="pretraining text about worlds that share words, grammar and general knowledge.",
        rule="facts differ from world to world, so that only what all share can be learned; the "
        "worlds are none that a run would draw.",
        example="--out out/many --set worlds=500",
    ),
    "import_data": Lesson(
        summary="Turn real comparisons, demonstrations and texts into Accord's records.",
        takes="files or folders such as those of HH-RLHF or the TL;DR comparisons, or data sets "
        "on the hub; any of the inputs, as many of each as there are.",
        makes="the same files as world: comparisons, demonstrations, public comparisons, prompts "
        "and documents, each split into train and test; and how well simple text rules do.",
        rule="a conversation is on the train or on the test side by a hash of how it begins, so "
        "that nothing that begins alike is on both.",
        example="--inputs comparisons=harmless.jsonl.gz\n--out out/data",
    ),
    "mix_comparisons": Lesson(
        summary="Mix sets of comparisons: shares, weights, sizes, halves; leaks left out.",
        takes="comparisons by name, in any format that import-data reads.",
        makes="comparisons-train.jsonl, comparisons-test.jsonl and mixture.json.",
        rule="a set gives its share of the training comparisons; the first ones by a hash, so that "
        "a smaller mixture is part of a larger one. A set of weight 2 is there twice.",
        example="--inputs comparisons.helpful=helpful.jsonl\n"
        "--inputs comparisons.harmless=hh.jsonl\n"
        "--set shares.helpful=0.7 --set shares.harmless=0.3 --out out/mixture",
    ),
    "pretrain": Lesson(
        summary="Train a language model on plain text, from nothing or going on.",
        takes="documents, one JSON object a line; optionally a model to go on from.",
        makes="a policy in the Hugging Face layout, with its tokenizer.",
        rule="the loss is the mean of -log p(next token) over all tokens.",
        example="--inputs documents=out/world --out out/base",
    ),
    "sft": Lesson(
        summary="Fine-tune a policy on demonstrations of good answers.",
        takes="a language model and demonstrations (a prompt with a good response).",
        makes="a policy.",
        rule="the loss is the mean of -log p(token) over the tokens of the responses; prompts "
        "are read but not learned.",
        example="--inputs model=out/base\n--inputs demonstrations=out/world --out out/sft",
    ),
    "context_distillation": Lesson(
        summary="Move a prompt into the weights, as if it stood before every text.",
        takes="a language model, the prompt (text or demonstrations), and plain documents.",
        makes="a policy.",
        rule="the loss is the mean over tokens of KL(model with the prompt || model without it), "
        "over the 50 likeliest tokens and one category for the rest.",
        example="--inputs model=out/base --inputs prompt=out/world\n"
        "--inputs documents=out/world --out out/distilled",
    ),
    "sample": Lesson(
        summary="Draw responses from policies and pair them for labeling.",
        takes="one or more policies by name, and prompts.",
        makes="responses.jsonl, and comparisons.jsonl: all responses to one prompt together.",
        rule="a token is drawn with probability softmax(logits / temperature).",
        example="--inputs policies.base=out/base --inputs policies.sft=out/sft\n"
        "--inputs prompts=out/world --out out/sample",
    ),
    "publish": Lesson(
        summary="Put comparisons before the labelers.",
        takes="the artifact of sample, and a store.",
        makes="rows in the store; publishing twice is as once.",
        rule="a comparison is known by its id; a batch by the digest of its file.",
        example="--inputs responses=out/sample\n--inputs store=out/ledger.sqlite --out out/publish",
    ),
    "simulate_labelers": Lesson(
        summary="Let simulated labelers rank what was published.",
        takes="a published batch, the world, and the store.",
        makes="votes in the store, one at a time, through the same functions as people's.",
        rule="a labeler prefers a over b with probability 1 / (1 + exp(-(u(a) - u(b)) / "
        "temperature)), u being what this labeler sees of the truth, biases included.",
        example="--inputs published=out/publish --inputs world=out/world\n"
        "--inputs store=out/ledger.sqlite --out out/labels",
    ),
    "collect": Lesson(
        summary="Freeze the votes of some batches, split into train and test.",
        takes="the labeling artifacts that must be finished, and the store.",
        makes="comparisons-train.jsonl and comparisons-test.jsonl, and the digest of the votes.",
        rule="the split is by the hash of the prompt, so that no prompt is on both sides.",
        example="--inputs labeled=out/labels\n--inputs store=out/ledger.sqlite --out out/collect",
    ),
    "rate": Lesson(
        summary="Rate policies from votes: Elo, Bradley-Terry, intervals, agreement.",
        takes="the artifact of collect.",
        makes="ratings.json and ratings.md.",
        rule="P(a beats b) = 1 / (1 + 10^((rating(b) - rating(a)) / 400)), fitted by maximum "
        "likelihood; intervals allow for votes of one labeler or prompt going together.",
        example="--inputs comparisons=out/collect --out out/ratings",
    ),
    "preference_pretraining": Lesson(
        summary="Teach a preference model from many public comparisons first.",
        takes="a language model and public comparisons.",
        makes="a preference model, to be trained on with people's votes.",
        rule="the loss is -log sigmoid(score(chosen) - score(rejected)), plus lm_coef times the "
        "language loss on the chosen text.",
        example="--inputs model=out/base\n--inputs comparisons=out/world --out out/pmp",
    ),
    "preference_model": Lesson(
        summary="Train the preference model (often called reward model) on votes.",
        takes="a language model or a pretrained preference model, and collected comparisons.",
        makes="a model that gives one score to a conversation, normalised on the reference.",
        rule="for every two responses a and b of one prompt, -log sigmoid(score(a) - score(b)) "
        "weighted by the labelers who put a above b.",
        example="--inputs model=out/pmp\n--inputs comparisons=out/collect --out out/pm",
    ),
    "evaluate_preference_model": Lesson(
        summary="Say how well a preference model knows people: accuracy, calibration, leaks.",
        takes="a preference model and comparisons by name, in any format that import-data reads; "
        "optionally what it was trained on, and prompts unlike those.",
        makes="evaluation.json, votes.jsonl and evaluation.html.",
        rule="a vote is right where the preferred response has the higher score; the model "
        "promises to be right with probability sigmoid(|difference of the scores|).",
        example="--inputs preference_model=out/pm --inputs train=out/collect\n"
        "--inputs comparisons.votes=out/collect\n"
        "--inputs comparisons.hhh=hhh_alignment.jsonl --out out/pm-evaluation",
    ),
    "ppo": Lesson(
        summary="Improve a policy against the preference model, close to where it started.",
        takes="a policy, a preference model and prompts; optionally another reference policy.",
        makes="a policy, and rollouts.jsonl with what it tried on the way.",
        rule="the reward of a response is its score - kl_coef * log(p(token) / p_reference(token)) "
        "summed over its tokens; steps are clipped at a probability ratio of 1 +- loss.clip_range.",
        example="--inputs policy=out/sft --inputs preference_model=out/pm\n"
        "--inputs prompts=out/world --out out/ppo",
    ),
    "best_of_n": Lesson(
        summary="Draw n responses to each prompt and keep the one that scores highest.",
        takes="a policy, a preference model and prompts.",
        makes="the picks as responses and as demonstrations for sft, best against worst as "
        "comparisons for dpo, and everything that was drawn.",
        rule="the best of n lies at most log(n) - (n - 1) / n nats from the policy that drew it.",
        example="--inputs policy=out/sft --inputs preference_model=out/pm\n"
        "--inputs prompts=out/world --out out/best_of_16 --set n=16",
    ),
    "dpo": Lesson(
        summary="Improve a policy from comparisons directly, without a preference model.",
        takes="a policy and collected comparisons; optionally another reference policy.",
        makes="a policy.",
        rule="the loss is -log sigmoid(beta * ((log p - log p_reference)(chosen) - (log p - "
        "log p_reference)(rejected))).",
        example="--inputs policy=out/sft --inputs comparisons=out/collect --out out/dpo",
    ),
    "rloo": Lesson(
        summary="Improve a policy by the policy gradient, with the other responses as baseline.",
        takes="a policy, a preference model and prompts; optionally another reference policy.",
        makes="a policy, and rollouts.jsonl with what it tried on the way.",
        rule="a response's advantage is its reward less the mean reward of the others to the same "
        "prompt; the reward is the score less kl_coef times the log ratio to the reference.",
        example="--inputs policy=out/sft --inputs preference_model=out/pm\n"
        "--inputs prompts=out/world --out out/rloo",
    ),
    "grpo": Lesson(
        summary="Improve a policy with rewards standardised within a prompt, and clipped steps.",
        takes="a policy, a preference model and prompts; optionally another reference policy.",
        makes="a policy, and rollouts.jsonl with what it tried on the way.",
        rule="a response's advantage is (reward - mean) / standard deviation over the responses to "
        "the same prompt; the KL to the reference is a term of the loss.",
        example="--inputs policy=out/sft --inputs preference_model=out/pm\n"
        "--inputs prompts=out/world --out out/grpo",
    ),
    "reinforce": Lesson(
        summary="Improve a policy by the plainest policy gradient, with a moving baseline.",
        takes="a policy, a preference model and prompts; optionally another reference policy.",
        makes="a policy, and rollouts.jsonl with what it tried on the way.",
        rule="a response's advantage is its reward less the moving average of earlier rewards.",
        example="--inputs policy=out/sft --inputs preference_model=out/pm\n"
        "--inputs prompts=out/world --out out/reinforce",
    ),
    "evaluate": Lesson(
        summary="Compare policies on held-out prompts: truth, win rate, KL, length.",
        takes="policies by name and prompts; optionally the world, a preference model, rollouts.",
        makes="scores.json and samples.jsonl.",
        rule="a win rate is wins / (wins + losses) over prompts, with a 95% interval clustered "
        "by prompt.",
        example="--inputs policies.sft=out/sft --inputs policies.ppo=out/ppo\n"
        "--inputs prompts=out/world --inputs world=out/world --out out/evaluate\n"
        "--set baseline=sft",
    ),
    "frontier": Lesson(
        summary="Sum up what several methods reach, how far from where they started, at what cost.",
        takes="an evaluation, the artifacts of its policies by name, draws of best_of_n, prompts; "
        "optionally the world.",
        makes="frontier.json, and frontier.html with two figures and a table.",
        rule="cost is forward tokens + 2 * backward tokens; policies that differ in the number "
        "behind their names are seeds of one method.",
        example="--inputs evaluation=out/evaluate --inputs runs.ppo_1=out/ppo\n"
        "--inputs draws.one=out/draws --inputs prompts=out/world --out out/frontier",
    ),
}
