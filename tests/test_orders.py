"""Orders as columns, and the sequence in which a venue takes them."""

import numpy as np
from venue import integers

from protocol.orders import CANCEL, IMMEDIATE, NONE, POST_ONLY, REST, cancels, join, orders, sequence


def test_scalars_stand_for_whole_columns() -> None:
    batch = orders(integers(4, 5, 6), 1, integers(7, -8, 9), 100, REST, expiry=3, priority=2)

    assert batch.market.tolist() == [1, 1, 1]
    assert batch.limit.tolist() == [100, 100, 100]
    assert batch.kind.tolist() == [REST] * 3
    assert batch.expiry.tolist() == [3, 3, 3]
    assert batch.priority.tolist() == [2, 2, 2]
    assert batch.reduce_only.tolist() == [False] * 3
    assert batch.id.tolist() == [0] * 3


def test_orders_of_size_zero_are_dropped_with_their_columns() -> None:
    batch = orders(integers(4, 5, 6), integers(0, 1, 0), integers(7, 0, 9), integers(10, 20, 30))

    assert batch.account.tolist() == [4, 6]
    assert batch.market.tolist() == [0, 0]
    assert batch.limit.tolist() == [10, 30]


def test_no_accounts_make_no_orders() -> None:
    assert len(orders(integers(), 0, integers(), 100).account) == 0
    assert len(join([]).account) == len(join([NONE, NONE]).account) == 0


def test_columns_are_copies_of_what_was_given() -> None:
    size = integers(7, 8)
    batch = orders(integers(4, 5), 0, size)
    size[0] = 99

    assert batch.size.tolist() == [7, 8]


def test_batches_are_joined_in_order() -> None:
    batch = join([orders(integers(4), 0, integers(1)), NONE, orders(integers(5, 6), 1, integers(2, 3))])

    assert batch.account.tolist() == [4, 5, 6]
    assert batch.reduce_only.dtype == np.bool_


def test_cancels_name_owner_and_order_and_keep_a_copy_of_the_ids() -> None:
    ids = integers(70, 80)
    batch = cancels(integers(4, 5), ids)
    ids[0] = 1

    assert batch.kind.tolist() == [CANCEL, CANCEL]
    assert batch.account.tolist() == [4, 5]
    assert batch.id.tolist() == [70, 80]
    assert batch.size.tolist() == [0, 0]


def test_cancels_join_other_orders_and_come_before_them() -> None:
    batch = join(
        [
            orders(integers(4), 0, integers(1), kind=IMMEDIATE, priority=9),
            orders(integers(5), 0, integers(1), 5, POST_ONLY, priority=9),
            cancels(integers(6), integers(70)),
        ]
    )

    assert sequence(batch, integers(0, 1, 2)).account.tolist() == [6, 5, 4]
    assert sequence(batch, integers(0, 1, 2)).id.tolist() == [70, 0, 0]


def test_quotes_come_first_then_the_higher_fee_then_the_lottery() -> None:
    batch = join(
        [
            orders(integers(4, 5), 0, integers(1, 1), kind=IMMEDIATE, priority=7),
            orders(integers(6), 0, integers(1), kind=REST, priority=9),
            orders(integers(7, 8), 0, integers(1, 1), 5, POST_ONLY),
        ]
    )

    assert sequence(batch, integers(1, 0, 2, 4, 3)).account.tolist() == [8, 7, 6, 5, 4]


def test_lists_and_floats_become_whole_numbers_and_empty_batches_are_nothing() -> None:
    made = orders([3, 4, 5], 1, np.array([2.9, 0.0, -1.9]), limit=[7, 8, 9])
    empty = orders(integers(3), 1, integers(0))

    assert (made.account.tolist(), made.size.tolist(), made.limit.tolist()) == ([3, 5], [2, -1], [7, 9])
    assert {column.dtype for column in made} == {np.dtype(np.int64), np.dtype(np.bool_)}
    assert join([empty, made, NONE]) is made
    assert join([empty, NONE]) is NONE
