//! Callers, the writer and readers around the store's queue.

use std::sync::Arc;
use std::time::Duration;

use crate::queue::{BatchLimits, Queue, Refused, Taken};
use shuttle::sync::mpsc;
use shuttle::thread;

use crate::check;

const PRODUCERS: usize = 3;
const EACH: usize = 3;
const BATCH: BatchLimits = BatchLimits { weight_max: 2, bytes_max: 1_000 };

type Item = (usize, usize);

/// Takes batches as the writer does, until the queue is closed and empty.
fn write(queue: &Queue<Item>, tidies_up: bool) -> Vec<Item> {
    let mut written = Vec::new();
    loop {
        let taken = if tidies_up { queue.take_within(Duration::from_millis(1)) } else { queue.take() };
        match taken {
            Taken::Item(first) => {
                let mut batch = vec![first];
                queue.drain_into(&mut batch, BATCH, |_| (1, 1));
                assert!(batch.len() <= BATCH.weight_max);
                written.append(&mut batch);
            }
            Taken::Idle => {}
            Taken::Closed => return written,
        }
    }
}

/// Pushes its items in order; gives those that were taken in.
fn produce(queue: &Queue<Item>, who: usize) -> Vec<Item> {
    (0..EACH).map(|n| (who, n)).filter(|item| queue.push(*item, 1) == Ok(())).collect()
}

fn of(items: &[Item], who: usize) -> Vec<Item> {
    items.iter().copied().filter(|(from, _)| *from == who).collect()
}

/// Whatever is taken in comes out once, in the order of who put it there, also when the queue is closed
/// meanwhile.
fn all_that_is_taken_in_is_written(items_max: usize, tidies_up: bool, closes_early: bool) {
    let queue = Arc::new(Queue::new("writer", items_max, 1_000));
    let writer = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || write(&queue, tidies_up))
    };
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|who| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || produce(&queue, who))
        })
        .collect();
    if closes_early {
        queue.close();
    }
    let taken: Vec<Vec<Item>> = producers.into_iter().map(|producer| producer.join().unwrap()).collect();
    queue.close();
    let written = writer.join().unwrap();
    for (who, taken) in taken.iter().enumerate() {
        assert_eq!(of(&written, who), *taken);
    }
    assert_eq!(written.len(), taken.iter().map(Vec::len).sum::<usize>());
    if items_max >= PRODUCERS * EACH && !closes_early {
        assert_eq!(written.len(), PRODUCERS * EACH, "nothing is refused while there is room");
    }
    assert_eq!(queue.push((0, 0), 1), Err(Refused::Closed));
}

#[test]
fn a_writer_writes_all_that_is_taken_in() {
    check(|| all_that_is_taken_in_is_written(100, false, false));
}

#[test]
fn a_full_queue_refuses_and_loses_nothing() {
    check(|| all_that_is_taken_in_is_written(2, false, false));
}

#[test]
fn a_queue_closed_meanwhile_is_written_to_its_end() {
    check(|| all_that_is_taken_in_is_written(100, false, true));
}

#[test]
fn a_writer_that_tidies_up_when_idle_misses_nothing() {
    check(|| all_that_is_taken_in_is_written(100, true, true));
}

/// As callers do: each waits for its answer before it asks again, and only then is the queue closed.
#[test]
fn who_waits_for_an_answer_gets_it_while_the_queue_is_open() {
    check(|| {
        let queue = Arc::new(Queue::new("writer", 100, 1_000));
        let writer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                while let Taken::Item(first) = queue.take() {
                    let mut batch: Vec<mpsc::Sender<()>> = vec![first];
                    queue.drain_into(&mut batch, BATCH, |_| (1, 1));
                    batch.iter().for_each(|asked| asked.send(()).unwrap());
                }
            })
        };
        let callers: Vec<_> = (0..PRODUCERS)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    for _ in 0..EACH {
                        let (asked, answer) = mpsc::channel();
                        assert!(queue.push(asked, 1).is_ok());
                        answer.recv().unwrap();
                    }
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        queue.close();
        writer.join().unwrap();
    });
}

/// Several readers share one queue: each question is answered once, and all of them end.
#[test]
fn readers_share_what_comes_and_all_end() {
    check(|| {
        let queue = Arc::new(Queue::new("reader", 100, usize::MAX));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    let mut answered = Vec::new();
                    while let Taken::Item(item) = queue.take() {
                        answered.push(item);
                    }
                    answered
                })
            })
            .collect();
        let asked = produce(&queue, 0);
        queue.close();
        let mut answered: Vec<Item> = readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
        answered.sort_unstable();
        assert_eq!(answered, asked);
    });
}
