//! Least load over reloads and on threads: the choice stays exact.

use proptest::prelude::*;

use super::*;

fn list_of(count: usize, duid: impl Fn(usize) -> usize) -> Vec<crate::dispatch::Entry> {
    let lines = (0..count).rev().map(|place| {
        format!(
            "1 sip:10.0.0.1:{} 0 0 duid=d{}\n",
            5000 + place,
            duid(place)
        )
    });
    let text = lines.collect::<String>();
    list::parse(text.as_bytes()).unwrap().into_entries()
}

fn fewest(sets: &Sets) -> usize {
    let set = sets.get(1).unwrap();
    let loads = set.destinations.iter().map(|one| one.active_calls());
    let (place, _) = loads.enumerate().min_by_key(|(_, load)| *load).unwrap();
    place
}

#[test]
fn calls_of_before_a_reload_count_when_they_end_after_it() {
    let before = Sets::build(list_of(3, |place| place), None, 1);
    let mut calls: Vec<_> = (0..6)
        .map(|_| call(&before, NO_DEFAULT).unwrap().1)
        .collect();
    let after = Sets::build(list_of(4, |place| (place + 1) % 4), Some(&before), 2);
    // The new one has none yet: place 3 was 0, place 2 is new.
    assert_eq!(call(&after, NO_DEFAULT).unwrap().0, 2);
    drop(calls.remove(0));
    drop(calls.remove(2));
    let loads: Vec<_> = after.destinations().map(|one| one.active_calls()).collect();
    assert_eq!(loads, [2, 2, 0, 0]);
    assert_eq!(choose(&after, 10, NO_DEFAULT), Ok(2));
    drop(calls);
    assert_eq!(choose(&after, 10, NO_DEFAULT), Ok(0));
}

#[test]
fn who_has_not_heard_of_a_reload_still_chooses_the_least() {
    let before = Sets::build(list_of(3, |place| place), None, 1);
    let after = Sets::build(list_of(3, |place| place), Some(&before), 2);
    let mut calls = Vec::new();
    for turn in 0..6 {
        let sets = if turn % 2 == 0 { &before } else { &after };
        let (place, reservation) = call(sets, NO_DEFAULT).unwrap();
        assert_eq!(place, turn % 3);
        calls.push(reservation);
    }
    mark(&before, 0, Flags::INACTIVE);
    assert_eq!(choose(&after, 10, NO_DEFAULT), Ok(1));
}

#[test]
fn what_left_and_came_back_is_counted_where_it_stands() {
    let first = Sets::build(list_of(2, |place| place), None, 1);
    let held = call(&first, NO_DEFAULT).unwrap().1;
    let without = Sets::build(list_of(1, |_| 1), Some(&first), 2);
    assert_eq!(choose(&without, 10, NO_DEFAULT), Ok(0));
    let again = Sets::build(list_of(2, |place| place), Some(&without), 3);
    assert_eq!(choose(&again, 10, NO_DEFAULT), Ok(1));
    drop(held);
    assert_eq!(choose(&again, 10, NO_DEFAULT), Ok(0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn threads_that_call_mark_and_reload_leave_the_choice_exact(
        count in 1..9_usize,
        maxload in 0..4_u32,
        seed in any::<u64>(),
    ) {
        let line = |place: usize| format!("0 0 duid=d{place};maxload={maxload}");
        let sets = numbered(count, line);
        let set = sets.get(1).unwrap();
        let threads = std::sync::atomic::AtomicU64::new(seed);
        let kept = together(|| {
            let number = threads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let mut rng = crate::rng::Rng::from_seed(number);
            let mut calls: Vec<Reservation> = Vec::new();
            for _ in 0..400 {
                match rng.next() % 8 {
                    0 => {
                        let flags = [0, 0, Flags::INACTIVE, Flags::DISABLED];
                        let flags = flags[rng.next() as usize % 4];
                        mark(&sets, rng.next() as usize % count, flags);
                    }
                    1..4 if !calls.is_empty() => {
                        let ended = rng.next() as usize % calls.len();
                        drop(calls.swap_remove(ended));
                    }
                    _ => calls.extend(call(&sets, NO_DEFAULT).ok().map(|(_, reservation)| reservation)),
                }
                let is_within = |one: &Arc<Destination>| maxload == 0 || one.active_calls() <= maxload;
                assert!(set.destinations.iter().all(is_within));
            }
            calls
        });
        let kept: u32 = kept.iter().map(|calls| calls.len() as u32).sum();
        let counted: u32 = set.destinations.iter().map(|one| one.active_calls()).sum();
        prop_assert_eq!(counted, kept);
        (0..count).for_each(|place| mark(&sets, place, 0));
        let expected = fewest(&sets);
        let full = maxload != 0 && set.destinations[expected].active_calls() >= maxload;
        let chosen = choose(&sets, 10, NO_DEFAULT);
        prop_assert_eq!(chosen, if full { Err(SelectError::AllFull) } else { Ok(expected) });
    }
}
