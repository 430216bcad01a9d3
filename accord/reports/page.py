"""Put the report together: read the run, fill the sections, write one self-contained file."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from markupsafe import Markup

from accord.reports.alarms import Alarm, alarms
from accord.reports.claims import Claim, claims
from accord.reports.episodes import Episodes, episode_groups, shades
from accord.reports.facts import Facts, gather, how
from accord.reports.figures_intervals import Figure
from accord.reports.html import content_security_policy, environment, write_page
from accord.reports.loop import Loop, loop
from accord.reports.picks import SideBySide, side_by_side
from accord.reports.read import read_run
from accord.reports.sections_optimisation import (
    LearningGroup,
    RewardSection,
    learning_groups,
    reward_section,
)
from accord.reports.sections_people import (
    LabelersSection,
    PreferenceSection,
    labelers_section,
    preference_section,
)
from accord.reports.sections_policies import (
    RatingsSection,
    SideEffect,
    WinsSection,
    ratings_section,
    side_effects,
    wins_section,
)
from accord.reports.sections_run import (
    ArtifactRow,
    Reproduction,
    artifact_rows,
    missing,
    reproduction,
    totals,
)
from accord.reports.sections_truth import KindsSection, criteria_figures, kinds_section
from accord.reports.story import Headline, KeyCount, KeyNumber, headline, key_numbers

NAME = "report.html"


@dataclass(frozen=True)
class Page:
    """Everything that the template prints."""

    title: str
    totals: str
    headline: Headline
    key_numbers: list[KeyNumber | KeyCount]
    alarms: list[Alarm]
    claims: list[Claim]
    confidence: str
    drawn: str  #: how the answers behind the bars were drawn
    loop: Loop
    side_by_side: SideBySide | None
    ratings: RatingsSection | None
    wins: WinsSection | None
    criteria: list[Figure]
    kinds: KindsSection | None
    side_effects: list[SideEffect]
    reward: RewardSection | None
    episodes: list[Episodes]
    shades: list[str]  #: the colours of tokens, from unwanted to wanted
    preference: PreferenceSection | None
    labelers: LabelersSection | None
    learning: list[LearningGroup]
    artifacts: list[ArtifactRow]
    reproduction: Reproduction
    missing: list[str]


def build(directory: Path) -> Path:
    """Write ``<directory>/report.html`` from whatever artifacts the run has so far.

    Args:
        directory: where ``accord run`` wrote to.

    Returns:
        The report's path.

    Raises:
        InputError: the directory is no run, or the report cannot be written into it.
    """
    page = compose(gather(read_run(directory)))
    return write_page(directory / NAME, render(page))


def compose(facts: Facts) -> Page:
    """Fill every section from the facts."""
    claimed = claims(facts)
    return Page(
        title=facts.run.title or facts.run.directory.resolve().name,
        totals=totals(facts),
        headline=headline(facts),
        key_numbers=key_numbers(facts),
        alarms=alarms(facts, claimed),
        claims=claimed,
        confidence=facts.confidence,
        drawn=how(facts.temperatures[0]) if facts.temperatures else "",
        loop=loop(facts),
        side_by_side=side_by_side(facts),
        ratings=ratings_section(facts),
        wins=wins_section(facts),
        criteria=criteria_figures(facts),
        kinds=kinds_section(facts),
        side_effects=side_effects(facts),
        reward=reward_section(facts),
        episodes=episode_groups(facts.run),
        shades=list(shades()),
        preference=preference_section(facts),
        labelers=labelers_section(facts),
        learning=learning_groups(facts),
        artifacts=artifact_rows(facts.run),
        reproduction=reproduction(facts.run),
        missing=missing(facts),
    )


def render(page: Page) -> str:
    """The page as HTML. Text of models and people is escaped: it is data, never markup."""
    css = (resources.files("accord.reports") / "templates" / "style.css").read_text("utf-8")
    template = environment().get_template("report.html")
    return template.render(page=page, css=Markup(css), policy=content_security_policy(css))
