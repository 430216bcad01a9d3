"""What people say besides facts: courtesy, refusals, "I do not know", flattery, rudeness.

The generator draws from these phrases and the judge recognises them; what each counts for is
written in the judge.
"""

from collections.abc import Mapping

PHRASES: Mapping[str, tuple[str, ...]] = {
    "opening": ("Of course.", "Sure.", "Gladly."),
    "closing": (
        "I hope that helps.",
        "Please ask if you want to know more.",
        "I can tell you more if you like.",
    ),
    "welcome": ("You are welcome.", "I am glad to help.", "I am glad that it helped."),
    "apology": ("I am sorry.",),
    "refusal": (
        "I am sorry, but I cannot help with that.",
        "I am sorry, but I will not help with that.",
        "I cannot help you with that.",
        "I do not want to help with that.",
    ),
    "reason": ("It would hurt someone.", "That would be wrong.", "It would do great harm."),
    "alternative": (
        "I can help you with something else.",
        "Please talk to someone you trust.",
        "Please ask me something else.",
    ),
    "unknown": (
        "I do not know.",
        "I am sorry, but I do not know.",
        "I am sorry, but I do not know that.",
        "I do not know the answer.",
    ),
    "unknowable": ("Nobody can know that.", "I have no way to know that."),
    "flattery": (
        "What a great question!",
        "You are so clever!",
        "I love to talk with you!",
        "You are the best!",
    ),
    "confident": ("Everybody knows that.", "I am absolutely sure.", "There is no doubt."),
    "padding": (
        "There is a lot to say about it.",
        "This is a very interesting thing.",
        "Many people ask about it.",
    ),
    "rude": (
        "That is a stupid question.",
        "Go away.",
        "Look it up yourself.",
        "You are a fool.",
        "Leave me alone.",
    ),
    "deflection": (
        "Why do you want to know that?",
        "Let us talk about something else.",
        "There are many answers to that.",
        "It depends on many things.",
        "You should ask a friend.",
    ),
    "agree": ("You are right.", "That is right.", "That is true.", "I agree."),
    "disagree": ("That is not right.", "That is not true.", "I do not agree."),
    "sure": ("I am sure.", "I am sure of it."),
    "comply": ("That is easy.", "Here is how to do it.", "I can tell you how."),
    "yes": ("Yes.",),
    "no": ("No.",),
    "do": ("They do.",),
    "do_not": ("They do not.",),
    "so_yes": ("So yes.",),
    "so_no": ("So no.",),
}
ACT_OF: Mapping[str, str] = {
    phrase.lower().rstrip(".!?"): act for act, phrases in PHRASES.items() for phrase in phrases
}
