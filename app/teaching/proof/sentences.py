"""A proof in sentences for people."""

from collections.abc import Iterator

from app.shown import listed
from app.teaching.proof.proof import Doubt, Proof


def sentences_of(proof: Proof) -> list[str]:
    """What people read: the result first, then what was counted."""
    parts = _result, _alarms, _defects, _others, _marks, _doubts
    return [line for part in parts for line in part(proof)]


def _result(proof: Proof) -> Iterator[str]:
    if proof.reasons:
        yield f"refused: {'; '.join(proof.reasons)}"
    elif proof.doubtful:
        yield "not to be served without the word of a second person, see below"
    elif proof.lost.count:
        yield (
            f"{counted(proof.lost.count, 'confirmed defect')} would be lost, which is allowed; nothing else speaks "
            f"against serving it instead of version {proof.served}"
        )
    else:
        yield f"nothing speaks against serving it instead of version {proof.served}"
    yield f"replayed: {proof.reviewed} reviewed pictures and {proof.unreviewed} others that were kept"
    if proof.unread:
        yield f"not replayed, because they cannot be read: {listed(proof.unread, proof.unread_count)}"


def _alarms(proof: Proof) -> Iterator[str]:
    yield (
        f"{counted(proof.vanished, 'false alarm')} of {proof.vanished + proof.remaining} {_verb(proof.vanished)}, and "
        f"{counted(proof.raised, 'new one')} {'appears' if proof.raised == 1 else 'appear'}"
    )
    if proof.held_out is not None and proof.held_out.total:
        rate, (low, high) = proof.held_out.count / proof.held_out.total, proof.held_out.interval
        bound = "" if proof.bound is None else f"; bound {proof.bound:.1%}, with 95 % confidence"
        yield (
            f"rate of false alarms {rate:.1%} ({proof.held_out.count} of {proof.held_out.total} normal pictures, "
            f"each by a model that had not learned it; {low:.1%} to {high:.1%}{bound})"
        )


def _defects(proof: Proof) -> Iterator[str]:
    lost, gained = proof.lost, proof.gained
    if not lost.total and not gained.total:
        yield "no picture has a confirmed defect, so that nothing shows whether defects are still found"
    if lost.total:
        low, high = lost.interval
        of = counted(lost.total, "confirmed defect")
        yield f"{lost.count} of {of} lost (95 % interval {low:.1%} to {high:.1%})"
    if gained.total:
        yield (
            f"{gained.count} of {counted(gained.total, 'confirmed defect')} that version {proof.served} misses found"
        )


def _others(proof: Proof) -> Iterator[str]:
    unreviewed = sum(not each.review for each in proof.changes)
    at_least = "at least " if proof.changed > len(proof.changes) else ""
    note = f", {at_least}{unreviewed} of them without a review" if unreviewed else ""
    changed = proof.fewer_alarms + proof.more_alarms
    yield (
        f"{counted(changed, 'verdict')} {'changes' if changed == 1 else 'change'}{note}: "
        f"{proof.fewer_alarms} to normal, {proof.more_alarms} to anomalous (McNemar's p {proof.p_value:.2g})"
    )
    yield f"the map of the golden sample changes by {proof.golden_change:.1%}"


def _marks(proof: Proof) -> Iterator[str]:
    found, lost = sum(each.found for each in proof.marks), sum(each.lost for each in proof.marks)
    if not found:
        yield "no drawn mark is found by the served version, so that marks show nothing"
        return
    line = f"{lost} of {found} drawn marks that version {proof.served} finds are lost"
    if lost:
        parts = (f"{each.kind} {each.lost} of {each.found}" for each in proof.marks if each.lost)
        line += f" ({', '.join(parts)})"
    yield line


def _doubts(proof: Proof) -> Iterator[str]:
    said = {
        Doubt.resembles: "called harmless, and resembling a confirmed defect",
        Doubt.far: "called harmless, and far over the threshold",
        Doubt.unreviewed: "not reviewed, far over the threshold, and normal for the candidate",
    }
    for doubt, text in said.items():
        names = [each.name or each.id for each in proof.doubts if each.doubt is doubt]
        if names:
            yield f"a second person must look at {listed(names)}: {text}"


def counted(number: int, noun: str) -> str:
    """The number with the noun in its form, such as `1 picture` and `2 pictures`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def _verb(number: int) -> str:
    return "vanishes" if number == 1 else "vanish"
