//! Forgetting calls in time, and in pieces.

use std::collections::BTreeMap;

use super::*;

#[test]
fn an_unanswered_call_is_forgotten_after_initexpire_and_not_before() {
    let (mut table, gateway) = (table(), gateway(1));
    early(&mut table, &gateway);
    assert_eq!(expire_all(&mut table, later(99)), 0);
    assert_eq!(gateway.active_calls(), 1);
    assert_eq!(expire_all(&mut table, later(100)), 1);
    assert_eq!((gateway.active_calls(), table.counted()), (0, 0));
    assert!(table.is_empty());
}

#[test]
fn a_confirmed_call_is_kept_for_expire_from_its_last_2xx() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = confirmed(&mut table, &gateway);
    assert_eq!(expire_all(&mut table, later(599)), 0);
    table.refresh(cell, later(599));
    assert_eq!(expire_all(&mut table, later(1_198)), 0);
    assert_eq!(table.confirm(cell, b"b", later(1_198)), Confirmation::Again);
    assert_eq!(expire_all(&mut table, later(1_797)), 0);
    assert_eq!(expire_all(&mut table, later(1_798)), 1);
}

#[test]
fn a_refresh_does_not_prolong_a_call_that_was_never_answered() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = early(&mut table, &gateway);
    table.refresh(cell, later(99));
    assert_eq!(expire_all(&mut table, later(100)), 1);
}

#[test]
fn parts_of_a_second_never_shorten_a_calls_time() {
    let (mut table, gateway) = (table(), gateway(1));
    let now = NOW + Duration::from_millis(900);
    table
        .insert(b"call", b"a", 1, counted(&gateway), now)
        .unwrap();
    assert_eq!(expire_all(&mut table, later(100)), 0);
    assert_eq!(expire_all(&mut table, later(101)), 1);
}

#[test]
fn zero_means_never() {
    let settings = CallLoadSettings {
        expire: Duration::ZERO,
        initexpire: Duration::ZERO,
        ..settings()
    };
    let (mut table, gateway) = (table_with(&settings), gateway(1));
    let cell = early(&mut table, &gateway);
    assert_eq!(table.get(cell).expect("known").until_seconds, None);
    let far = Timestamp::FAR;
    assert_eq!(expire_all(&mut table, far), 0);
    table.confirm(cell, b"b", NOW);
    assert_eq!(expire_all(&mut table, far), 0);
}

#[test]
fn an_ended_call_is_forgotten_after_its_linger_time() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = confirmed(&mut table, &gateway);
    table.end(cell, later(10));
    assert_eq!(expire_all(&mut table, later(41)), 0);
    assert_eq!(table.len(), 1);
    assert_eq!(expire_all(&mut table, later(42)), 0, "it expired silently");
    assert!(table.is_empty());
}

#[test]
fn new_calls_sweep_out_the_ended_without_any_scan() {
    let (mut table, gateway) = (table(), gateway(1));
    for second in 0..1_000 {
        let text = second.to_string();
        let cell = table
            .insert(text.as_bytes(), b"a", 1, counted(&gateway), later(second))
            .unwrap();
        table.end(cell, later(second));
        assert!(table.len() <= 33, "{} cells", table.len());
    }
}

fn filled(calls: u32) -> (CallTable, Arc<Destination>) {
    let (mut table, gateway) = (table(), gateway(1));
    for call in 0..calls {
        table
            .insert(&call.to_le_bytes(), b"a", 1, counted(&gateway), NOW)
            .unwrap();
    }
    (table, gateway)
}

#[test]
fn a_mass_expiry_goes_in_pieces_of_the_budget() {
    let (mut table, gateway) = filled(10_000);
    table.schedule_expiry(0..16);
    let mut left = 10_000;
    loop {
        let mut expired = 0;
        let progress = table.expire(later(100), 64, |_| expired += 1);
        assert!(expired <= 64);
        left -= expired;
        assert_eq!(gateway.active_calls(), left);
        if progress == Progress::Done {
            break;
        }
        assert_eq!(expired, 64);
    }
    assert_eq!((left, table.len()), (0, 0));
}

#[test]
fn ended_calls_use_the_budget_too() {
    let (mut table, _) = filled(1_000);
    let cells: Vec<CellId> = table.cells().map(|view| view.id).collect();
    for cell in cells {
        table.end(cell, NOW);
    }
    assert_eq!(table.expire(later(32), 64, |_| {}), Progress::More);
    assert_eq!(table.len(), 936);
    assert_eq!(table.expire(later(32), 936, |_| {}), Progress::More);
    assert_eq!(table.expire(later(32), 1, |_| {}), Progress::Done);
    assert!(table.is_empty());
}

#[test]
fn a_round_over_all_slots_sees_each_cell_once_in_equal_shares() {
    let (mut table, _) = filled(10_000);
    let mut seen = 0;
    for slot in 0..16 {
        let before = seen;
        let slots = slot..slot + 1;
        let progress = table.expire_slots(later(100), slots, 10_000, |_| seen += 1);
        assert_eq!(progress, Progress::Done);
        assert_eq!(seen - before, 625, "slot {slot}");
    }
    assert!(table.is_empty());
}

#[test]
fn a_table_that_grows_during_a_round_misses_no_old_cell() {
    let (mut table, gateway) = filled(1_000);
    let mut seen = 0;
    for slot in 0..16_u32 {
        table.expire_slots(later(100), slot..slot + 1, 10_000, |_| seen += 1);
        for call in 0..200_u32 {
            let text = (1_000_000 + slot * 200 + call).to_le_bytes();
            table
                .insert(&text, b"a", 1, counted(&gateway), later(100))
                .unwrap();
        }
    }
    assert_eq!(seen, 1_000);
    assert_eq!(table.len(), 16 * 200);
}

#[test]
fn slices_that_come_before_the_last_is_done_are_not_lost() {
    let (mut table, _) = filled(1_000);
    let mut seen = 0;
    for slot in 0..16 {
        // One cell a slice: far behind from the start, and more slices than are kept apart.
        table.expire_slots(later(100), slot..slot + 1, 1, |_| seen += 1);
    }
    while table.expire(later(100), 7, |_| seen += 1) == Progress::More {}
    assert_eq!((seen, table.len()), (1_000, 0));
}

#[test]
fn a_slice_that_adjoins_a_half_done_one_is_scanned_from_its_beginning() {
    let (mut table, _) = filled(1_000);
    let mut seen = 0;
    table.expire_slots(later(100), 0..1, 5, |_| seen += 1);
    table.expire_slots(later(100), 1..2, 1_000, |_| seen += 1);
    assert_eq!(seen, 63 + 63);
}

#[test]
fn slices_far_apart_overflow_into_a_scan_of_everything() {
    let (mut table, _) = filled(1_000);
    for slot in [0, 2, 4, 6, 8, 10, 12, 14, 1, 3] {
        table.schedule_expiry(slot..slot + 1);
    }
    let mut seen = 0;
    while table.expire(later(100), 100, |_| seen += 1) == Progress::More {}
    assert_eq!(seen, 1_000);
}

#[test]
fn a_scan_that_lags_behind_its_slices_still_comes_to_the_end() {
    let (mut table, _) = filled(1_000);
    let mut seen = 0;
    for round in 0..2_000_u32 {
        let slot = round * 5 % 16;
        table.expire_slots(later(100), slot..slot + 1, 1, |_| seen += 1);
    }
    assert_eq!(seen, 1_000);
}

#[test]
fn slots_of_other_shards_are_passed_over() {
    let settings = settings();
    let ownership = Ownership::new(1, 4, 2);
    let mut table = CallTable::new(&settings, &ownership, 1, LINGER, 42);
    let gateway = gateway(1);
    early(&mut table, &gateway);
    let mut seen = 0;
    table.expire_slots(later(100), 0..8, 100, |_| seen += 1);
    assert_eq!(seen, 0);
    table.expire_slots(later(100), 0..16, 100, |_| seen += 1);
    assert_eq!(seen, 1);
}

#[test]
fn whoever_watches_sees_the_call_before_it_is_forgotten() {
    let (mut table, gateway) = (table(), gateway(1));
    early(&mut table, &gateway);
    let mut seen = BTreeMap::new();
    table.expire_slots(later(100), 0..16, 100, |view| {
        assert!(Arc::ptr_eq(view.destination, &gateway));
        seen.insert(view.call_id().to_vec(), (view.phase, view.counted));
    });
    assert_eq!(
        seen,
        BTreeMap::from([(b"call".to_vec(), (Phase::Early, true))])
    );
}
