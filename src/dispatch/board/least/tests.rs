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

#[test]
fn when_all_threads_rest_every_match_is_decided_rightly() {
    const COUNT: usize = 13;
    for round in 0..40_u64 {
        let least = Least::new(COUNT);
        let loads: Vec<AtomicU32> = (0..COUNT).map(|_| AtomicU32::new(0)).collect();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (least, loads) = (&least, &loads);
                scope.spawn(move || {
                    let mut rng = crate::rng::Rng::from_seed(round * 4 + thread);
                    for _ in 0..2_000 {
                        let place = rng.next() as usize % COUNT;
                        loads[place].store(rng.next() as u32 % 9, Ordering::SeqCst);
                        let load = || Standing::Load(loads[place].load(Ordering::SeqCst));
                        least.refresh(place, load);
                    }
                });
            }
        });
        for (place, load) in loads.iter().enumerate() {
            assert!(least.is_right(place, Standing::Load(load.load(Ordering::SeqCst)), 0));
        }
    }
}
