//! What the table costs and where it stops.

use std::collections::BTreeSet;

use super::*;

fn small(max_calls: u32) -> CallTable {
    table_with(&CallLoadSettings {
        max_calls,
        ..settings()
    })
}

fn add(table: &mut CallTable, call_id: &str, hold: Hold) -> Result<CellId, InsertError> {
    table.insert(call_id.as_bytes(), b"a", 1, hold, NOW)
}

#[test]
fn a_full_table_refuses_and_leaks_nothing() {
    let (mut table, gateway) = (small(2), gateway(1));
    add(&mut table, "1", counted(&gateway)).unwrap();
    add(&mut table, "2", counted(&gateway)).unwrap();
    let refused = add(&mut table, "3", counted(&gateway));
    assert_eq!(refused, Err(InsertError::Full));
    assert_eq!((gateway.active_calls(), table.counted()), (2, 2));
    assert_eq!(table.len(), 2);
    assert_eq!(table.find(b"3", b"a", b""), None);
}

#[test]
fn in_a_full_table_the_call_that_ended_first_makes_room() {
    let (mut table, gateway) = (small(3), gateway(1));
    let cells: Vec<CellId> = ["1", "2", "3"]
        .map(|id| add(&mut table, id, counted(&gateway)).unwrap())
        .into();
    table.end(cells[1], NOW);
    table.end(cells[0], NOW);
    add(&mut table, "4", counted(&gateway)).unwrap();
    assert!(table.get(cells[1]).is_none());
    assert!(table.get(cells[0]).is_some());
    add(&mut table, "5", counted(&gateway)).unwrap();
    let refused = add(&mut table, "6", counted(&gateway));
    assert_eq!(refused, Err(InsertError::Full));
    assert_eq!(gateway.active_calls(), 3);
}

#[test]
fn the_shards_share_the_bound() {
    let settings = CallLoadSettings {
        max_calls: 100,
        ..settings()
    };
    let ownership = Ownership::new(1, 4, 4);
    let gateway = gateway(1);
    for shard in 0..4 {
        let mut table = CallTable::new(&settings, &ownership, shard, LINGER, 42);
        let calls = (0..).map(|i| i.to_string());
        let taken = calls.take_while(|id| add(&mut table, id, pinned(&gateway)).is_ok());
        assert_eq!(taken.count(), 25);
    }
}

#[test]
fn very_long_call_ids_are_bounded_and_leave_room_for_others() {
    let (mut table, gateway) = (small(1_000_000), gateway(1));
    let long = "x".repeat(60_000);
    let calls = (0..).map(|i| format!("{i}{long}"));
    let taken = calls
        .take_while(|id| add(&mut table, id, counted(&gateway)).is_ok())
        .count();
    assert!((100..2_000).contains(&taken), "{taken}");
    assert!(table.bytes() < 100_000_000, "{}", table.bytes());
    assert_eq!(gateway.active_calls() as usize, taken);
    assert!(add(&mut table, "short", counted(&gateway)).is_ok());
}

#[test]
fn one_call_id_with_very_many_tags_makes_no_chain() {
    let (mut table, gateway) = (table(), gateway(1));
    for tag in 0..20_000_u32 {
        table
            .insert(b"same", &tag.to_le_bytes(), 1, pinned(&gateway), NOW)
            .unwrap();
    }
    let hashes: BTreeSet<u32> = table.cells.iter().map(|cell| cell.hash).collect();
    assert!(hashes.len() > 19_990, "{} different hashes", hashes.len());
}

#[test]
fn a_call_takes_less_than_160_bytes() {
    let (mut table, gateway) = (table(), gateway(1));
    for call in 0..200_000_u64 {
        let id = format!(
            "{:016x}{call:08x}@gw1.example.com",
            call.wrapping_mul(0x9e37_79b9)
        );
        assert_eq!(id.len(), 40);
        add(&mut table, &id, counted(&gateway)).unwrap();
    }
    let each = table.bytes() / table.len();
    assert!(each < 160, "{each} bytes");
}

#[test]
fn a_steady_state_takes_no_more_memory() {
    let (mut table, gateway) = (table(), gateway(1));
    let mut peak = 0;
    for second in 0..400_u64 {
        for call in 0..50 {
            let id = format!("{second}-{call}@192.0.2.1");
            let now = later(second);
            let hold = counted(&gateway);
            let cell = table.insert(id.as_bytes(), b"a", 1, hold, now).unwrap();
            table.confirm(cell, b"b", now);
            table.bye(cell, Side::Caller, b"a", b"b", now);
            table.bye_answered(cell, Side::Caller, b"a", b"b", false, now);
        }
        match second {
            200 => peak = table.bytes(),
            201.. => assert_eq!(table.bytes(), peak),
            _ => {}
        }
    }
}
