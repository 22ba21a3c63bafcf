//! The queue on one thread. On many, under every order of theirs: `tests/concurrency`.

use std::time::Duration;

use super::queue::{BatchLimits, Queue, Refused, Taken};

fn drained(queue: &Queue<usize>, weight_max: usize, bytes_max: usize) -> Vec<usize> {
    let Taken::Item(first) = queue.take() else { panic!("nothing to take") };
    let mut batch = vec![first];
    queue.drain_into(&mut batch, BatchLimits { weight_max, bytes_max }, |bytes| (1, *bytes));
    batch
}

#[test]
fn a_full_queue_refuses_and_a_closed_one_is_emptied_first() {
    let queue = Queue::new("writer", 2, 100);
    assert_eq!(queue.push(1, 1), Ok(()));
    assert_eq!(queue.push(2, 1), Ok(()));
    assert_eq!(queue.push(3, 1), Err(Refused::Full));
    queue.close();
    assert_eq!(queue.push(4, 1), Err(Refused::Closed));
    assert_eq!(queue.take(), Taken::Item(1));
    assert_eq!(queue.take_within(Duration::ZERO), Taken::Item(2));
    assert_eq!(queue.take(), Taken::Closed);
    assert_eq!(queue.take_within(Duration::ZERO), Taken::Closed);
}

#[test]
fn bytes_are_bounded_but_one_large_item_passes_alone() {
    let queue = Queue::new("writer", 10, 100);
    assert_eq!(queue.push(500, 500), Ok(()));
    assert_eq!(queue.push(1, 1), Err(Refused::Full));
    assert_eq!(queue.take(), Taken::Item(500));
    assert_eq!(queue.push(1, 1), Ok(()));
    assert_eq!(queue.take_within(Duration::ZERO), Taken::Item(1));
    assert_eq!(queue.take_within(Duration::ZERO), Taken::Idle);
}

#[test]
fn a_batch_takes_what_waits_up_to_its_limits() {
    let queue = Queue::new("writer", 10, 1_000);
    for bytes in [10, 10, 10, 90, 10] {
        assert_eq!(queue.push(bytes, bytes), Ok(()));
    }
    assert_eq!(drained(&queue, 2, 100), [10, 10], "two at most");
    assert_eq!(drained(&queue, 9, 99), [10], "the next is too large for this batch");
    assert_eq!(drained(&queue, 9, 50), [90], "a first item is taken whatever its size");
    assert_eq!(drained(&queue, 9, 50), [10]);
}
