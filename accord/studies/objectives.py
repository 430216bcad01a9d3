"""What should learn from comparisons? Ranked preference modelling beside its two rivals.

    model ─┬─> preference model, ranked pairs ────────────────┐
           ├─> preference model, good or bad by itself ───────┼─> held-out votes
           └─> fine-tuning on what was put first ─────────────┘   for every N and seed

The last imitates: its score of a response is its mean log-probability a token.

Source: Askell et al. 2021, arXiv:2112.00861, section 3. Differs from it in: one size of model, and
numbers of comparisons in its place.
"""

from typing import Any

from accord.studies.pmp import TARGET, Design, Sources, check, judged, table

ARMS = ("imitation", "binary", "ranked")  # the baseline first


def run_table(sources: Sources, design: Design, title: str) -> dict[str, Any]:
    """The study as a run file: its tables in order.

    Raises:
        InputError: the design cannot say anything, or there is nothing to start from.
    """
    check(sources, design)
    data = {"comparisons": [sources.target], "documents": list(sources.documents)}
    tables: dict[str, Any] = {
        "run": {"title": title},
        "data": table("import_data", data, design),
    }
    model = sources.model
    if not model:
        model = "language_model"
        tables[model] = table("pretrain", {"documents": "data"}, design)
    for seed in range(design.seeds):
        for size in design.sizes:
            name = f"mix_{size}_{seed}"
            mixed = table("mix_comparisons", {"comparisons": {TARGET: "data"}}, design)
            tables[name] = mixed | {"size": size, "seed": seed}
            for arm in ARMS:
                tables |= _trained(arm, model, (size, seed), design)
    return tables


def _trained(
    arm: str, model: str, place: tuple[int, int], design: Design
) -> dict[str, dict[str, Any]]:
    size, seed = place
    mixed, trained = f"mix_{size}_{seed}", f"model_{arm}_{size}_{seed}"
    if arm == "imitation":
        inputs = {"model": model, "demonstrations": mixed}
        learner = {"held_out_fraction": 0.0} | table("sft", inputs, design)  # as many as the rivals
        judge = "policy"
    else:
        learner = table("preference_model", {"model": model, "comparisons": mixed}, design)
        judge = "preference_model"
    if arm == "binary":
        learner |= {"loss": learner.get("loss", {}) | {"kind": "binary"}}
    return {
        trained: learner | {"seed": seed},
        f"votes_{arm}_{size}_{seed}": judged(judge, trained, mixed, design),
    }
