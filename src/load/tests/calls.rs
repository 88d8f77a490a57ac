//! One call through its phases.

use super::*;

#[test]
fn a_call_is_found_from_both_ends_and_from_nowhere_else() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = early(&mut table, &gateway);
    assert_eq!(table.find(b"call", b"a", b""), Some((cell, Side::Caller)));
    assert_eq!(table.find(b"call", b"a", b"b"), Some((cell, Side::Caller)));
    assert_eq!(table.find(b"call", b"b", b"a"), Some((cell, Side::Callee)));
    assert_eq!(table.find(b"call", b"b", b""), None);
    assert_eq!(table.find(b"call", b"x", b"y"), None);
    assert_eq!(table.find(b"Call", b"a", b"b"), None);
    assert_eq!(table.find(b"call2", b"a", b"b"), None);
}

#[test]
fn a_call_without_tags_is_found_as_the_callers() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = table.insert(b"old", b"", 1, pinned(&gateway), NOW).unwrap();
    assert_eq!(table.find(b"old", b"", b""), Some((cell, Side::Caller)));
}

#[test]
fn a_view_tells_what_the_call_is() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = table
        .insert(b"call", b"a", 17, counted(&gateway), NOW)
        .unwrap();
    let view = table.get(cell).expect("it is known");
    assert_eq!(
        (view.id, view.call_id(), view.cseq),
        (cell, &b"call"[..], 17)
    );
    assert_eq!((view.phase, view.counted), (Phase::Early, true));
    assert!(Arc::ptr_eq(view.destination, &gateway));
    assert_eq!(view.age(later(5)), Duration::from_secs(5));
    assert_eq!(view.until_seconds, Some(1_100));
}

#[test]
fn the_same_call_is_not_taken_in_twice() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = early(&mut table, &gateway);
    let again = table.insert(b"call", b"a", 1, counted(&gateway), NOW);
    assert_eq!(again, Err(InsertError::Known(cell)));
    assert_eq!(gateway.active_calls(), 1);
    assert!(
        table
            .insert(b"call", b"c", 1, counted(&gateway), NOW)
            .is_ok()
    );
    assert_eq!(gateway.active_calls(), 2);
    assert_eq!(table.counted(), 2);
}

#[test]
fn an_ended_call_counts_no_longer_and_is_still_found() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = early(&mut table, &gateway);
    assert_eq!(gateway.active_calls(), 1);
    assert!(table.end(cell, NOW));
    assert!(!table.end(cell, NOW));
    assert_eq!((gateway.active_calls(), table.counted()), (0, 0));
    let (found, _) = table.find(b"call", b"a", b"b").expect("it lingers");
    let view = table.get(found).expect("it lingers");
    assert!(Arc::ptr_eq(view.destination, &gateway));
    assert_eq!((view.phase, view.counted), (Phase::Ended, false));
}

#[test]
fn failover_moves_the_count() {
    let (mut table, first, second) = (table(), gateway(1), gateway(2));
    let cell = early(&mut table, &first);
    assert!(table.move_to(cell, counted(&second)));
    assert_eq!((first.active_calls(), second.active_calls()), (0, 1));
    assert_eq!(table.counted(), 1);
    assert!(table.move_to(cell, pinned(&first)));
    assert_eq!((second.active_calls(), table.counted()), (0, 0));
}

#[test]
fn an_ended_call_cannot_be_moved_but_revived() {
    let (mut table, first, second) = (table(), gateway(1), gateway(2));
    let cell = early(&mut table, &first);
    assert!(!table.revive(cell, 2, counted(&second), NOW));
    table.end(cell, NOW);
    assert!(!table.move_to(cell, counted(&second)));
    assert_eq!(second.active_calls(), 0);
    assert!(table.revive(cell, 2, counted(&second), later(1)));
    let view = table.get(cell).expect("it is known");
    assert_eq!(
        (view.cseq, view.phase, view.counted),
        (2, Phase::Early, true)
    );
    assert_eq!((first.active_calls(), second.active_calls()), (0, 1));
    assert_eq!(expire_all(&mut table, later(50)), 0);
    assert_eq!(expire_all(&mut table, later(101)), 1);
}

#[test]
fn the_answer_to_a_bye_of_either_end_ends_the_call_once() {
    for (side, from, to) in [(Side::Caller, b"a", b"b"), (Side::Callee, b"b", b"a")] {
        let (mut table, gateway) = (table(), gateway(1));
        let cell = confirmed(&mut table, &gateway);
        assert!(!table.bye_answered(cell, side, from, to, false, NOW));
        assert_eq!(table.bye(cell, side, from, to, NOW), ByeOutcome::Closing);
        assert_eq!(table.bye(cell, side, from, to, NOW), ByeOutcome::Closing);
        assert_eq!(gateway.active_calls(), 1, "the gateway still has it");
        assert!(!table.bye_answered(cell, side, b"x", b"x", false, NOW));
        assert!(table.bye_answered(cell, side, from, to, false, NOW));
        assert!(!table.bye_answered(cell, side, from, to, false, NOW));
        assert_eq!(gateway.active_calls(), 0);
        assert_eq!(table.bye(cell, side, from, to, NOW), ByeOutcome::Repeated);
        assert_eq!(table.counted(), 0);
    }
}

#[test]
fn a_bye_that_is_challenged_leaves_the_call_as_it_was() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = confirmed(&mut table, &gateway);
    table.bye(cell, Side::Caller, b"a", b"b", NOW);
    table.bye_answered(cell, Side::Caller, b"a", b"b", true, NOW);
    assert_eq!(phase(&table, cell), Some(Phase::Confirmed));
    assert_eq!(expire_all(&mut table, later(33)), 0);
    assert_eq!(gateway.active_calls(), 1);
}

#[test]
fn a_bye_that_nobody_answers_ends_the_call_after_the_linger_time() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = confirmed(&mut table, &gateway);
    table.bye(cell, Side::Caller, b"a", b"b", NOW);
    table.refresh(cell, NOW);
    table.confirm(cell, b"b", NOW);
    assert_eq!(expire_all(&mut table, later(31)), 0);
    assert_eq!(expire_all(&mut table, later(33)), 1);
    assert_eq!(gateway.active_calls(), 0);
}

#[test]
fn a_bye_whose_tags_are_not_the_calls_changes_nothing() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = confirmed(&mut table, &gateway);
    for (side, from, to) in [
        (Side::Caller, b"a", b"x"),
        (Side::Caller, b"x", b"b"),
        (Side::Caller, b"b", b"a"),
        (Side::Callee, b"x", b"a"),
        (Side::Callee, b"b", b"x"),
        (Side::Callee, b"a", b"b"),
    ] {
        assert_eq!(table.bye(cell, side, from, to, NOW), ByeOutcome::Ignored);
    }
    assert_eq!(phase(&table, cell), Some(Phase::Confirmed));
    assert_eq!(gateway.active_calls(), 1);
}

#[test]
fn a_bye_of_the_caller_before_the_answer_does_not_decide() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = early(&mut table, &gateway);
    let outcome = table.bye(cell, Side::Caller, b"a", b"b", NOW);
    assert_eq!(outcome, ByeOutcome::Ignored);
    assert_eq!(table.confirm(cell, b"b", NOW), Confirmation::First);
    assert_eq!(gateway.active_calls(), 1);
}

#[test]
fn a_bye_that_overtook_its_2xx_ends_the_call_when_that_comes() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = early(&mut table, &gateway);
    let outcome = table.bye(cell, Side::Callee, b"b", b"a", NOW);
    assert_eq!(outcome, ByeOutcome::Remembered);
    assert_eq!(gateway.active_calls(), 1);
    assert_eq!(table.confirm(cell, b"b", NOW), Confirmation::EndedByBye);
    assert_eq!(gateway.active_calls(), 0);
    assert_eq!(table.confirm(cell, b"b", NOW), Confirmation::Late);
}

#[test]
fn a_bye_of_one_fork_does_not_end_the_call_that_another_answers() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = early(&mut table, &gateway);
    table.bye(cell, Side::Callee, b"fork", b"a", NOW);
    assert_eq!(table.confirm(cell, b"b", NOW), Confirmation::First);
    let outcome = table.bye(cell, Side::Callee, b"fork", b"a", NOW);
    assert_eq!(outcome, ByeOutcome::Ignored);
    let outcome = table.bye(cell, Side::Callee, b"b", b"a", NOW);
    assert_eq!(outcome, ByeOutcome::Closing);
}

#[test]
fn a_bye_remembered_in_one_attempt_is_forgotten_in_the_next() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = early(&mut table, &gateway);
    table.bye(cell, Side::Callee, b"b", b"a", NOW);
    table.end(cell, NOW);
    table.revive(cell, 2, counted(&gateway), NOW);
    assert_eq!(table.confirm(cell, b"b", NOW), Confirmation::First);
}

#[test]
fn a_2xx_after_the_end_changes_nothing() {
    let (mut table, gateway) = (table(), gateway(1));
    let cell = early(&mut table, &gateway);
    table.end(cell, NOW);
    assert_eq!(table.confirm(cell, b"b", NOW), Confirmation::Late);
    assert_eq!(gateway.active_calls(), 0);
}

#[test]
fn the_name_of_a_forgotten_call_fits_nothing() {
    let (mut table, gateway) = (table(), gateway(1));
    let old = confirmed(&mut table, &gateway);
    assert_eq!(expire_all(&mut table, later(601)), 1);
    let new = early(&mut table, &gateway);
    assert_eq!(old.index, new.index, "the cell is used again");
    assert!(table.get(old).is_none());
    assert!(!table.end(old, NOW));
    assert!(!table.move_to(old, counted(&gateway)));
    assert!(!table.revive(old, 2, counted(&gateway), NOW));
    assert_eq!(table.confirm(old, b"b", NOW), Confirmation::Late);
    let outcome = table.bye(old, Side::Callee, b"b", b"a", NOW);
    assert_eq!(outcome, ByeOutcome::Ignored);
    table.refresh(old, later(5_000));
    assert_eq!(phase(&table, new), Some(Phase::Early));
    assert_eq!(gateway.active_calls(), 1);
}

#[test]
fn a_table_that_is_dropped_releases_its_calls() {
    let (mut table, gateway) = (table(), gateway(1));
    confirmed(&mut table, &gateway);
    drop(table);
    assert_eq!(gateway.active_calls(), 0);
}
