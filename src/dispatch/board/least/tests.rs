//! The tournament by a plain model, and on threads.

use std::sync::atomic::AtomicU32;

use proptest::prelude::*;

use super::*;

fn expected(standings: &[Standing], but: Option<usize>) -> Standing {
    let keys = standings
        .iter()
        .enumerate()
        .filter(|(place, _)| Some(*place) != but);
    keys.map(|(_, standing)| *standing)
        .min_by_key(|standing| standing.key())
        .unwrap_or(Standing::Out)
}

fn any_standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        8 => (0..6_u32).prop_map(Standing::Load),
        1 => Just(Standing::Full),
        1 => Just(Standing::Out),
    ]
}

proptest! {
    #[test]
    fn the_root_is_the_first_of_those_with_the_fewest(
        count in prop_oneof![1..40_usize, Just(600)],
        changes in prop::collection::vec((any::<usize>(), any_standing()), 1..80),
    ) {
        let least = Least::new(count);
        let mut standings = vec![Standing::Out; count];
        for (place, standing) in changes {
            let place = place % count;
            standings[place] = standing;
            least.refresh(place, || standing);
            let best = expected(&standings, None);
            let first = standings.iter().position(|standing| *standing == best).unwrap();
            prop_assert_eq!(least.best(), (first, best));
            let but = expected(&standings, Some(place));
            prop_assert_eq!(least.best_but(place).1, but);
        }
    }
}

/// Many threads change the loads of `busy`; all others have more.
fn contest(count: usize, busy: &[usize], rounds: u64) {
    const MORE: u32 = 1_000;
    for round in 0..rounds {
        let least = Least::new(count);
        let loads: Vec<AtomicU32> = (0..count).map(|_| AtomicU32::new(MORE)).collect();
        (0..count).for_each(|place| least.refresh(place, || Standing::Load(MORE)));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (least, loads) = (&least, &loads);
                scope.spawn(move || {
                    let mut rng = crate::rng::Rng::from_seed(round * 4 + thread);
                    for _ in 0..2_000 {
                        let place = busy[rng.next() as usize % busy.len()];
                        loads[place].store(rng.next() as u32 % 9, Ordering::SeqCst);
                        let load = || Standing::Load(loads[place].load(Ordering::SeqCst));
                        least.refresh(place, load);
                    }
                });
            }
        });
        for (place, load) in loads.iter().enumerate() {
            let load = load.load(Ordering::SeqCst);
            assert!(least.is_right(place, Standing::Load(load), 0), "{place}");
        }
    }
}

#[test]
fn when_all_threads_rest_every_match_is_decided_rightly() {
    contest(13, &(0..13).collect::<Vec<_>>(), 40);
    // Four matches on each way: what is found wrong high up is put right there.
    contest(600, &[0, 1, 9, 70, 140, 599], 40);
}

#[test]
fn an_attempt_goes_up_as_far_as_the_one_before() {
    const PLACE: usize = 599;
    let least = Least::new(PLACE + 1);
    let load = Standing::Load(7);
    (0..=PLACE).for_each(|place| least.refresh(place, || load));
    // An old word of another thread, written late: high up somebody wins who has as many.
    let (index, player) = above(above(least.leaf(PLACE).0).0);
    least.matches[index].set(player, pack(3, PLACE));
    let reached = least.write(PLACE, load, usize::MAX);
    assert!(reached > index, "all is right below");
    assert!(!least.is_right(PLACE, load, 0));
    assert_eq!(least.write(PLACE, load, 0), 0);
    assert!(least.is_right(PLACE, load, 0));
}
