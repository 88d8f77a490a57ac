use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn ms(millis: u64) -> Timestamp {
    Timestamp::from_nanos(millis * TICK_NANOS)
}

fn drain(wheel: &mut Wheel<u32>, now: Timestamp) -> Vec<u32> {
    std::iter::from_fn(|| wheel.pop_due(now)).collect()
}

#[test]
fn a_timer_never_fires_before_its_time_and_less_than_a_tick_late() {
    let at = Timestamp::from_nanos(5_000_001);
    let mut wheel = Wheel::new(Timestamp::ZERO);
    wheel.insert(at, 1);
    assert_eq!(wheel.pop_due(ms(5)), None);
    assert_eq!(wheel.pop_due(Timestamp::from_nanos(5_999_999)), None);
    assert_eq!(wheel.pop_due(ms(6)), Some(1));
    assert!(wheel.is_empty());
}

#[test]
fn a_timer_on_a_tick_fires_on_that_tick() {
    let mut wheel = Wheel::new(Timestamp::ZERO);
    wheel.insert(ms(500), 1);
    assert_eq!(wheel.pop_due(Timestamp::from_nanos(499_999_999)), None);
    assert_eq!(wheel.pop_due(ms(500)), Some(1));
}

#[test]
fn a_time_that_has_passed_fires_at_once() {
    let mut wheel = Wheel::new(ms(1_000));
    wheel.insert(ms(10), 1);
    assert_eq!(wheel.next_deadline(), Some(ms(1_000)));
    assert_eq!(wheel.pop_due(ms(1_000)), Some(1));
}

#[test]
fn timers_of_one_tick_fire_in_the_order_of_arming_whatever_level_they_began_at() {
    let mut wheel = Wheel::new(Timestamp::ZERO);
    wheel.insert(ms(70_000), 1);
    assert_eq!(wheel.pop_due(ms(66_000)), None);
    wheel.insert(ms(70_000), 2);
    assert_eq!(wheel.pop_due(ms(69_999)), None);
    wheel.insert(ms(70_000), 3);
    wheel.insert(ms(69_999), 0);
    assert_eq!(drain(&mut wheel, ms(70_000)), [0, 1, 2, 3]);
}

#[test]
fn a_timer_can_be_armed_while_timers_fire() {
    let mut wheel = Wheel::new(Timestamp::ZERO);
    wheel.insert(ms(10), 1);
    wheel.insert(ms(5_000), 3);
    assert_eq!(wheel.pop_due(ms(9_000)), Some(1));
    wheel.insert(ms(20), 2);
    wheel.insert(ms(9_000), 4);
    assert_eq!(drain(&mut wheel, ms(9_000)), [2, 3, 4]);
}

#[test]
fn cancelling_works_once_and_never_hits_a_later_timer() {
    let mut wheel = Wheel::new(Timestamp::ZERO);
    let first = wheel.insert(ms(10), 1);
    assert!(wheel.cancel(first));
    assert!(!wheel.cancel(first));
    let second = wheel.insert(ms(10), 2);
    assert_eq!(second.index, first.index);
    assert!(!wheel.cancel(first));
    assert_eq!(drain(&mut wheel, ms(10)), [2]);
    assert!(!wheel.cancel(second));
    assert_eq!(wheel.len(), 0);
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn timers_beyond_the_top_level_wait_and_fire() {
    let day = Duration::from_secs(86_400);
    let mut wheel = Wheel::new(Timestamp::ZERO);
    wheel.insert(Timestamp::ZERO + 200 * day, 2);
    wheel.insert(Timestamp::ZERO + 50 * day, 1);
    wheel.insert(Timestamp::FAR, 3);
    assert_eq!(drain(&mut wheel, Timestamp::ZERO + 199 * day), [1]);
    assert_eq!(drain(&mut wheel, Timestamp::ZERO + 200 * day), [2]);
    assert_eq!(wheel.len(), 1);
}

#[test]
fn the_deadline_is_exact_for_what_is_near_and_a_lower_bound_for_the_rest() {
    let mut wheel = Wheel::new(Timestamp::ZERO);
    wheel.insert(ms(32_000), 2);
    let bound = wheel.next_deadline().expect("a timer is armed");
    assert!(bound <= ms(32_000));
    assert!(bound > ms(31_000), "{bound:?}");
    wheel.insert(ms(200), 1);
    assert_eq!(wheel.next_deadline(), Some(ms(200)));
}

#[test]
fn following_the_deadlines_wakes_at_most_four_times_for_a_timer() {
    let mut wheel = Wheel::new(ms(255));
    wheel.insert(ms(0x0102_0304), 7);
    let mut wakes = 0;
    while let Some(deadline) = wheel.next_deadline() {
        wakes += 1;
        if wheel.pop_due(deadline) == Some(7) {
            assert_eq!(deadline, ms(0x0102_0304));
        }
    }
    assert_eq!(wakes, 4);
}

#[test]
fn a_clock_that_steps_back_moves_nothing() {
    let mut wheel = Wheel::new(ms(1_000));
    assert_eq!(wheel.pop_due(ms(5_000)), None);
    assert_eq!(wheel.pop_due(ms(2_000)), None);
    wheel.insert(ms(5_100), 1);
    assert_eq!(wheel.next_deadline(), Some(ms(5_100)));
    assert_eq!(wheel.pop_due(ms(2_000)), None);
    assert_eq!(wheel.pop_due(ms(5_100)), Some(1));
}

#[test]
fn a_warm_wheel_reuses_its_nodes() {
    let mut wheel = Wheel::new(Timestamp::ZERO);
    for round in 0..100_u64 {
        for i in 0..50 {
            wheel.insert(ms(round * 1_000 + i * 7), 0);
        }
        drain(&mut wheel, ms(round * 1_000 + 999));
    }
    assert_eq!(wheel.nodes.len(), 50);
}

/// What a test does to the wheel and to the model.
#[derive(Clone, Debug)]
enum Step {
    /// Arm a timer this many nanoseconds after (or before) now.
    Arm(i64),
    /// Cancel the n-th timer ever armed.
    Cancel(usize),
    /// Let this many nanoseconds pass and fire what is due.
    Pass(u64),
    /// Go to the wheel's own next deadline.
    Follow,
}

fn span() -> impl Strategy<Value = u64> {
    // Every level, their borders, and beyond the top.
    prop_oneof![
        0..3_000_000_u64,
        0..400_000_000_u64,
        0..70_000_000_000_u64,
        0..20_000_000_000_000_u64,
        0..9_000_000_000_000_000_u64,
        (0..34_u32, 0..3_u64)
            .prop_map(|(bits, less)| ((1_u64 << bits).saturating_sub(less)) * TICK_NANOS),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => span().prop_map(|nanos| Step::Arm(nanos as i64)),
        1 => (0..5_000_000_i64).prop_map(|nanos| Step::Arm(-nanos)),
        2 => any::<prop::sample::Index>().prop_map(|index| Step::Cancel(index.index(100))),
        2 => span().prop_map(Step::Pass),
        2 => Just(Step::Follow),
    ]
}

/// A heap of (tick, order of arming) with a set of the cancelled.
#[derive(Default)]
struct Model {
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    gone: HashSet<u32>,
}

impl Model {
    fn first(&mut self) -> Option<(u64, u32)> {
        while let Some(&Reverse((tick, number))) = self.heap.peek() {
            if !self.gone.contains(&number) {
                return Some((tick, number));
            }
            self.heap.pop();
        }
        None
    }

    fn pop(&mut self, now: Timestamp) -> Option<u32> {
        let (tick, number) = self.first()?;
        (tick <= now.as_millis()).then(|| {
            self.heap.pop();
            self.gone.insert(number);
            number
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn it_fires_what_a_heap_fires(start in span(), steps in prop::collection::vec(step(), 1..120)) {
        let mut now = Timestamp::from_nanos(start);
        let mut wheel = Wheel::new(now);
        let mut model = Model::default();
        let mut ids = Vec::new();
        for step in steps {
            match step {
                Step::Arm(nanos) => {
                    let at = Timestamp::from_nanos(now.as_nanos().saturating_add_signed(nanos));
                    let number = ids.len() as u32;
                    ids.push(wheel.insert(at, number));
                    // What is past counts as due at the tick the wheel has reached.
                    let tick = at.as_nanos().div_ceil(TICK_NANOS).max(now.as_millis());
                    model.heap.push(Reverse((tick, number)));
                }
                Step::Cancel(number) => {
                    if let Some(&id) = ids.get(number) {
                        prop_assert_eq!(wheel.cancel(id), model.gone.insert(number as u32));
                    }
                }
                Step::Pass(nanos) => now += Duration::from_nanos(nanos),
                Step::Follow => {
                    if let Some(deadline) = wheel.next_deadline() {
                        now = now.max(deadline);
                    }
                }
            }
            if !matches!(step, Step::Arm(_) | Step::Cancel(_)) {
                loop {
                    let fired = wheel.pop_due(now);
                    prop_assert_eq!(fired, model.pop(now));
                    if fired.is_none() {
                        break;
                    }
                }
            }
            match (wheel.next_deadline(), model.first()) {
                (None, None) => {}
                (Some(deadline), Some((tick, _))) => prop_assert!(deadline.as_millis() <= tick),
                (deadline, first) => prop_assert!(false, "{deadline:?} but {first:?}"),
            }
            prop_assert_eq!(wheel.len(), ids.len() - model.gone.len());
        }
    }
}
