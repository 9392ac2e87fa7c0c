"""Who votes for whom, as a graph."""

import networkx as nx
import numpy as np

from agents.delegates.electorate import Electorate
from agents.delegates.settings import INTERESTS
from protocol.arithmetic import MICRO
from protocol.governance.tokens import NOBODY, Tokens


def graph(tokens: Tokens, people: Electorate | None = None) -> nx.DiGraph:
    """The graph of delegation: an edge from each holder whose tokens vote to whom they vote through.

    Parameters
    ----------
    tokens : Tokens
        As they are delegated now.
    people : Electorate, optional
        Gives each of its holders an `interest`.

    Returns
    -------
    networkx.DiGraph
        Nodes with `balance` and `power` [tokens]; edges with `tokens`; a holder who votes for himself has a
        loop. Power is the sum of what comes in.
    """
    found = nx.DiGraph()
    voting = np.flatnonzero((tokens.delegates != NOBODY) & (tokens.balances > 0))
    targets = tokens.delegates[voting]
    for node in np.union1d(voting, targets).tolist():
        kind = INTERESTS[people.interest[node]] if people and node < len(people.interest) else ""
        balance, power = int(tokens.balances[node]) / MICRO, int(tokens.power[node]) / MICRO
        found.add_node(node, balance=balance, power=power, interest=kind)
    for source, target in zip(voting.tolist(), targets.tolist(), strict=True):
        found.add_edge(source, target, tokens=int(tokens.balances[source]) / MICRO)
    return found
