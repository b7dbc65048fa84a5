"""What cannot be had better for less."""

from collections.abc import Sequence


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Places of those that no other dominates, the cheapest first.

    One dominates another if it costs no more and gains no less, and does better in one of the two. Equals in both do
    not dominate each other.

    >>> pareto_front([10, 20, 20, 30], [0.8, 0.9, 0.7, 0.85])
    [0, 1]
    """
    front: list[int] = []
    for place in sorted(range(len(costs)), key=lambda place: (costs[place], -gains[place])):
        last = front[-1] if front else None
        equal = last is not None and (costs[place], gains[place]) == (costs[last], gains[last])
        if last is None or gains[place] > gains[last] or equal:
            front.append(place)
    return front
