use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use uuid::Uuid;

use super::*;

fn tenant(number: u128) -> Tenant {
    Tenant::Organization(OrganizationId::from_uuid(Uuid::from_u128(number)))
}

type Waits = Pin<Box<dyn Future<Output = Result<Turn, Error>>>>;

/// A write that has taken its place in the queue.
fn enter(queue: &Arc<WriteQueue>, lane: Lane, tenant: Tenant) -> Waits {
    let queue = queue.clone();
    let mut waits: Waits = Box::pin(async move { queue.turn(lane, tenant, LONGEST_WAIT).await });
    assert!(poll(&mut waits).is_none(), "it has its turn already");
    waits
}

fn poll(waits: &mut Waits) -> Option<Result<Turn, Error>> {
    match pin!(waits).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(turn) => Some(turn),
        Poll::Pending => None,
    }
}

/// Lets everyone have their turns, one after the other; answers their places in `waiting`.
fn order(first: Turn, mut waiting: Vec<Option<Waits>>) -> Vec<usize> {
    let mut order = Vec::new();
    let mut running = Some(first);
    while waiting.iter().any(Option::is_some) {
        drop(running.take());
        for (place, waits) in waiting.iter_mut().enumerate() {
            if let Some(turn) = waits.as_mut().and_then(poll) {
                assert!(running.is_none(), "two run at once");
                running = Some(turn.unwrap());
                *waits = None;
                order.push(place);
            }
        }
    }
    order
}

#[tokio::test]
async fn revocations_go_first_and_bulk_writes_last() {
    let queue = Arc::new(WriteQueue::new(1));
    let first = queue.turn(Lane::Bulk, tenant(1), LONGEST_WAIT).await.unwrap();
    let lanes = [Lane::Bulk, Lane::Change, Lane::Revocation, Lane::Bulk, Lane::Revocation];
    let waiting = lanes.map(|lane| Some(enter(&queue, lane, tenant(1)))).into();
    assert_eq!(order(first, waiting), [2, 4, 1, 0, 3]);
}

#[tokio::test]
async fn tenants_take_turns_within_a_lane() {
    let queue = Arc::new(WriteQueue::new(1));
    let first = queue.turn(Lane::Change, tenant(1), LONGEST_WAIT).await.unwrap();
    let waiting = [1, 1, 1, 1, 2, 2, 3].map(|it| Some(enter(&queue, Lane::Change, tenant(it)))).into();
    assert_eq!(order(first, waiting), [0, 4, 6, 1, 5, 2, 3]);
}

#[tokio::test]
async fn a_lower_lane_is_not_starved() {
    let queue = Arc::new(WriteQueue::new(1));
    let first = queue.turn(Lane::Change, tenant(1), LONGEST_WAIT).await.unwrap();
    let mut waiting = vec![Some(enter(&queue, Lane::Bulk, tenant(2)))];
    waiting.extend((0..100).map(|_| Some(enter(&queue, Lane::Change, tenant(1)))));
    let order = order(first, waiting);
    let place = order.iter().position(|it| *it == 0).unwrap();
    assert_eq!(place, TURNS_AHEAD as usize, "{order:?}");
}

#[tokio::test]
async fn a_tenant_holds_a_bounded_number_of_places() {
    let queue = Arc::new(WriteQueue::new(1));
    let _first = queue.turn(Lane::Change, tenant(1), LONGEST_WAIT).await.unwrap();
    let waiting: Vec<_> = (0..WAITING_PER_TENANT).map(|_| enter(&queue, Lane::Change, tenant(1))).collect();
    let refused = queue.turn(Lane::Change, tenant(1), LONGEST_WAIT).await;
    assert!(matches!(refused, Err(Error::Busy)));
    let [_, (_, changes), _] = queue.state();
    assert_eq!(changes, LaneState { waiting: WAITING_PER_TENANT, refused: 1 });
    // Neither another tenant nor a revocation of the same one is refused for that.
    let others = [(Lane::Change, tenant(2)), (Lane::Revocation, tenant(1))];
    let others = others.map(|(lane, tenant)| enter(&queue, lane, tenant));
    drop((waiting, others));
    assert!(queue.state().iter().all(|(_, state)| state.waiting == 0), "places are given back");
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_bounded() {
    let queue = Arc::new(WriteQueue::new(1));
    let first = queue.turn(Lane::Bulk, tenant(1), LONGEST_WAIT).await.unwrap();
    let began = tokio::time::Instant::now();
    assert!(matches!(queue.turn(Lane::Revocation, tenant(2), LONGEST_WAIT).await, Err(Error::Busy)));
    assert_eq!(began.elapsed(), LONGEST_WAIT);
    drop(first);
    assert!(queue.turn(Lane::Change, tenant(2), LONGEST_WAIT).await.is_ok());
}

#[tokio::test]
async fn a_turn_whose_caller_has_left_goes_to_the_next() {
    let queue = Arc::new(WriteQueue::new(1));
    let first = queue.turn(Lane::Change, tenant(1), LONGEST_WAIT).await.unwrap();
    let leaves = enter(&queue, Lane::Change, tenant(2));
    let mut stays = enter(&queue, Lane::Change, tenant(3));
    drop(first);
    // The turn has come, and nobody has looked.
    drop(leaves);
    assert!(poll(&mut stays).is_some());
}

#[tokio::test]
async fn on_a_pool_some_writers_are_kept_for_revocations() {
    let queue = Arc::new(WriteQueue::new(8));
    let mut running = Vec::new();
    for (lane, free) in [(Lane::Bulk, 2), (Lane::Change, 4), (Lane::Revocation, 2)] {
        for _ in 0..free {
            running.push(queue.turn(lane, tenant(1), LONGEST_WAIT).await.unwrap());
        }
        drop(enter(&queue, lane, tenant(1)));
    }
    assert_eq!(running.len(), 8);
}
