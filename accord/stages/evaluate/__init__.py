"""Policies against each other on held-out prompts: truth, win rate, KL, score, length.

policies, prompts [, world, preference_model, rollouts]  ->  scores, samples
docs/stages/evaluate.md

Every policy answers at temperature 1 and greedily. Where there is a world, its written-down truth
judges; without one, the preference model does, and every number says so.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accord.config import InputError, nearest
from accord.records import Prompt, read_records
from accord.runtime import artifacts
from accord.runtime.input_files import input_file
from accord.runtime.json_numbers import plain
from accord.runtime.metrics import MetricsLog
from accord.runtime.processor import prepare_processor
from accord.runtime.seeding import python_random
from accord.stages.evaluate.answers import (
    TEMPERATURES,
    Answer,
    answers_of,
    load_reference,
    scored,
)
from accord.stages.evaluate.claims import unsupported
from accord.stages.evaluate.curve import curve_of
from accord.stages.evaluate.settings import Config, Inputs
from accord.stages.evaluate.summary import Policy, Reading, row
from accord.stages.evaluate.truth import Truth, judged, load_truth

Answers = dict[tuple[str, float], list[Answer]]  # by policy and temperature


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Compare the policies; ``output/`` holds ``scores.json`` and ``samples.jsonl``."""
    _check(config, inputs)
    prepare_processor()
    truth, prompts = load_truth(inputs.world), _chosen(inputs.prompts, config)
    if truth:
        truth.check(prompts.values())
    reading = Reading(_judge(inputs), config.confidence)
    curve = [
        point
        for name, path in inputs.rollouts.items()
        for point in curve_of(
            name, path, truth, points=config.curve_points, confidence=config.confidence
        )
    ]
    policies = _policies(_answers(config, inputs, prompts, out), prompts, truth)
    rows = _rows(policies, config, reading)
    scores = plain(
        {
            "baseline": config.baseline,
            "reference": config.reference or config.baseline,
            "by": reading.judge,
            "confidence": config.confidence,
            "n_prompts": len({j.answer.prompt_id for p in policies for j in p.answers}),
            "policies": rows,
            "curve": curve,
            "warnings": unsupported(rows, config.baseline),
        }
    )
    artifacts.write_json(out / "output" / "scores.json", scores)
    artifacts.write_text(out / "output" / "samples.jsonl", _samples(policies, prompts))
    _log(out, scores)


def _check(config: Config, inputs: Inputs) -> None:
    for field in ("baseline", "reference"):
        name = getattr(config, field)
        if name not in inputs.policies and (name or field == "baseline"):
            known = nearest(name, list(inputs.policies))
            raise InputError(f"`{field}` = `{name}` is none of the policies{known}")


def _judge(inputs: Inputs) -> Any:
    if inputs.world is not None:
        return "truth"
    return "preference_model" if inputs.preference_model is not None else None


def _chosen(path: Path, config: Config) -> dict[str, Prompt]:
    """The prompts to answer by id, in the order of the file."""
    file = input_file(path, "prompts-eval.jsonl", "prompts.jsonl")
    prompts = read_records(file, Prompt)
    by_id = {prompt.id: prompt for prompt in prompts}
    if len(by_id) < len(prompts):
        raise InputError(f"two prompts of `{file}` have one id; give every prompt its own")
    if not config.prompts or config.prompts >= len(prompts):
        return by_id
    rng = python_random(config.seed, "prompts")
    return {
        prompts[i].id: prompts[i] for i in sorted(rng.sample(range(len(prompts)), config.prompts))
    }


def _answers(config: Config, inputs: Inputs, prompts: dict[str, Prompt], out: Path) -> Answers:
    """Every policy's answers, to the prompts that all of them could read, with their scores."""
    name = config.reference or config.baseline
    reference = load_reference(name, inputs.policies[name])
    found: Answers = {}
    for policy, source in inputs.policies.items():
        given = answers_of(policy, source, list(prompts.values()), reference, config, out)
        found |= {(policy, temperature): answers for temperature, answers in given.items()}
    everywhere = set.intersection(*({a.prompt_id for a in answers} for answers in found.values()))
    found = {
        key: [a for a in answers if a.prompt_id in everywhere] for key, answers in found.items()
    }
    if not everywhere:
        raise InputError("no prompt is short enough for all policies; lower `max_tokens`")
    if inputs.preference_model is None:
        return found
    flat = [answer for answers in found.values() for answer in answers]
    with_scores = iter(
        scored(flat, prompts, inputs.preference_model, microbatch_size=config.microbatch_size)
    )
    return {key: [next(with_scores) for _ in answers] for key, answers in found.items()}


def _policies(answers: Answers, prompts: dict[str, Prompt], truth: Truth | None) -> list[Policy]:
    """At temperature 1 first, each in the order of the inputs."""
    return [
        Policy(name, temperature, tuple(judged(given, prompts, truth)))
        for wanted in TEMPERATURES
        for (name, temperature), given in answers.items()
        if temperature == wanted
    ]


def _rows(policies: Sequence[Policy], config: Config, reading: Reading) -> list[dict[str, Any]]:
    rows = []
    for temperature in TEMPERATURES:
        alike = [policy for policy in policies if policy.temperature == temperature]
        baseline = next(policy for policy in alike if policy.name == config.baseline)
        for previous, policy in zip([None, *alike], alike, strict=False):
            other = None if policy is baseline else baseline
            rows.append(row(policy, other, previous, reading))
    return rows


def _samples(policies: Sequence[Policy], prompts: dict[str, Prompt]) -> str:
    """The first answer of every policy at temperature 1, one prompt a line."""
    lines: dict[str, dict[str, Any]] = {}
    for policy in policies:
        for found in policy.answers:
            if policy.temperature == 0 or found.answer.number:
                continue
            verdict = found.verdict
            given = {
                "text": found.answer.text,
                "utility": verdict.utility if verdict else None,
                "score": found.answer.score,
                "hhh": verdict.hhh if verdict else None,
                "note": verdict.note if verdict else None,
            }
            lines.setdefault(found.answer.prompt_id, {})[policy.name] = given
    return "".join(
        json.dumps(
            {
                "prompt": prompts[key].model_dump(mode="json", by_alias=True),
                "kind": prompts[key].kind,
                "responses": plain(responses),
            },
            ensure_ascii=False,
        )
        + "\n"
        for key, responses in lines.items()
    )


def _log(out: Path, scores: dict[str, Any]) -> None:
    log = MetricsLog(out)
    log.truncate_to(-1)
    for number, found in enumerate(scores["policies"]):
        truth, rate = found["truth"] or {}, found["win_rate"] or {}
        values = {
            "evaluate/temperature": found["temperature"],
            "evaluate/win_rate": rate.get("decided"),
            "evaluate/hhh": truth.get("hhh", {}).get("rate"),
            "evaluate/utility": truth.get("utility", {}).get("mean"),
            "evaluate/score": (found["score"] or {}).get("mean"),
            "evaluate/kl": (found["kl"] or {}).get("mean"),
            "evaluate/length": found["length"]["mean"],
            "evaluate/finished": found["finished"]["rate"],
        }
        log.log(number, {key: value for key, value in values.items() if value is not None})
    artifacts.write_headline(out, _headline(scores))


def _headline(scores: dict[str, Any]) -> dict[str, Any]:
    """The last policy, sampled: what the others led up to."""
    last = [found for found in scores["policies"] if found["temperature"]][-1]
    rate, truth = last["win_rate"] or {}, last["truth"] or {}
    return {
        "policy": last["policy"],
        "against": rate.get("against"),
        "by": scores["by"],
        "win_rate": rate.get("decided"),
        "low": rate.get("decided_low"),
        "high": rate.get("decided_high"),
        "hhh": truth.get("hhh", {}).get("rate"),
        "n_prompts": scores["n_prompts"],
        "warnings": len(scores["warnings"]),
    }
