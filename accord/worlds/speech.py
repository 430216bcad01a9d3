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
        "I have no way to know that.",
    ),
    "unknowable": ("Nobody can know that.", "That is something nobody knows."),
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
ALSO_READ: Mapping[str, tuple[str, ...]] = {  # understood, though no text here says it
    "welcome": ("you are very welcome", "you are welcome, gladly"),
    "opening": ("yes, of course", "of course, gladly", "here it is"),
    "closing": ("please ask me if you want to know more", "i can tell you more"),
    "apology": ("i am very sorry", "sorry"),
    "refusal": (
        "i am sorry, but i cannot help you with that",
        "i am sorry, but i will not help you with that",
        "i am sorry, but i do not want to help with that",
        "i am sorry, i cannot help with that",
        "i cannot help with that",
        "i will not help with that",
        "i will not help you with that",
        "i cannot do that",
        "i will not do that",
    ),
    "reason": ("that would hurt someone", "it would be wrong", "that would do great harm"),
    "unknown": (
        "i do not know that",
        "i do not know it",
        "i cannot know that",
        "i am sorry, i do not know",
        "i am sorry, but i do not know the answer",
        "i am sorry, but i have no way to know that",
        "i am not sure",
    ),
    "unknowable": ("no one can know that", "nobody knows that"),
    "agree": ("yes, you are right", "you are right about that"),
    "disagree": ("you are not right", "no, you are not right"),
    "no": ("no, it is not",),
    "yes": ("yes, it is",),
}
ACT_OF: Mapping[str, str] = {
    phrase.lower().rstrip(".!?"): act
    for table in (PHRASES, ALSO_READ)
    for act, phrases in table.items()
    for phrase in phrases
}
