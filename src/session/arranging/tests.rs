use super::*;
use crate::session::Deed;
use crate::session::saved::SavedSession;
use crate::take::arrangement::Repeat;
use crate::take::shelf::tests::kept;

/// A session with so many takes, the last of them chosen.
fn with_takes(count: u32) -> Arc<Session> {
    let session = Session::new();
    session.set_host_rate(48_000.0);
    for number in 1..=count {
        lock(&session.bench).shelf.add(kept(number), true);
    }
    session.bring_up().unwrap();
    session
}

fn ids(session: &Session) -> Vec<TakeId> {
    session.snapshot().takes.iter().map(|entry| entry.id).collect()
}

fn add(session: &Session, take: TakeId, variation: usize) {
    session.arrange(Arranging::Add { take, variation }).unwrap();
    session.bring_up_arrangement().unwrap();
}

fn places(session: &Session) -> Vec<(String, f64, Option<u32>)> {
    let blocks = session.snapshot().arrangement;
    blocks.iter().map(|block| (block.title.clone(), block.placement.begin, block.placement.bars)).collect()
}

fn published(session: &Session) -> Option<Arc<PlayArrangement>> {
    std::iter::from_fn(|| session.link.next_arrangement()).last()
}

#[test]
fn takes_are_placed_one_after_another_and_play() {
    let session = with_takes(2);
    let all = ids(&session);
    add(&session, all[0], 1);
    add(&session, all[1], 0);
    add(&session, all[0], 1);
    let bar = |title: &str, begin| (title.to_owned(), begin, Some(1));
    assert_eq!(places(&session), [bar("Take 1", 0.0), bar("Take 2", 4.0), bar("Take 1", 8.0)]);
    let arrangement = published(&session).unwrap();
    let takes: Vec<&Arc<PlayTake>> = arrangement.placements.iter().map(|one| one.take.as_ref().unwrap()).collect();
    assert!(takes.iter().all(|take| take.rate_hz == 48_000 && take.variations() == 1 && take.is_complete()));
    assert!(Arc::ptr_eq(takes[0], takes[2]) && !Arc::ptr_eq(takes[0], takes[1]), "a variation is unpacked once");
    // It is the variation as it plays when the take is chosen.
    let whole = crate::take::bench::lay_out(&crate::take::pack::tests::take(), 48_000).unwrap();
    for (placed, variation) in [(takes[0], 1), (takes[1], 0)] {
        let length = (whole.seed_frames() + whole.frames()) as i64;
        assert_eq!(
            placed.frames_between(0, (true, true), 0, length),
            whole.frames_between(variation, (true, true), 0, length)
        );
    }
    let snapshot = session.snapshot();
    let values = values_at(&alone(&crate::take::pack::tests::take(), 0).unwrap(), 48_000).unwrap();
    assert_eq!(snapshot.arrangement_bytes, 2 * 4 * values);
    assert!(snapshot.arrangement.iter().all(|block| block.drawn.is_some() && !block.silent));
    // What is not placed any more is let go of.
    let last = snapshot.arrangement[1].placement.id;
    session.arrange(Arranging::Remove(last)).unwrap();
    session.bring_up_arrangement().unwrap();
    assert_eq!(lock(&session.bench).placed.len(), 1);
    assert!(session.snapshot().arrangement_bytes < snapshot.arrangement_bytes);
}

#[test]
fn every_change_is_undone_and_done_again() {
    let session = with_takes(2);
    let all = ids(&session);
    add(&session, all[0], 0);
    add(&session, all[1], 0);
    let mut states = vec![places(&session)];
    let placed = session.snapshot().arrangement[1].placement.clone();
    let moved = Placement { begin: 17.0, bars: Some(3), repeat: Repeat::Times(2), gain_db: -6.0, ..placed };
    session.arrange(Arranging::Change(moved.clone())).unwrap();
    session.arrange(Arranging::Change(moved.clone())).unwrap();
    states.push(places(&session));
    assert_eq!(states[1][1], ("Take 2".to_owned(), 17.0, Some(3)));
    session.arrange(Arranging::Remove(moved.id)).unwrap();
    states.push(places(&session));
    session.delete_take(all[0]).unwrap();
    assert_eq!(places(&session), []);
    assert_eq!(published(&session).unwrap().placements.len(), 0);
    let deeds = [Deed::DeleteTake, Deed::RemovePlacement, Deed::MovePlacement, Deed::PlaceTake, Deed::PlaceTake];
    for (step, deed) in deeds.into_iter().enumerate() {
        assert_eq!(session.snapshot().undo, Some(deed));
        session.go(true).unwrap();
        if let Some(state) = states.len().checked_sub(step + 1).and_then(|at| states.get(at)) {
            assert_eq!(places(&session), *state);
            assert_eq!(published(&session).unwrap().placements.len(), state.len());
        }
    }
    assert_eq!(places(&session), []);
    for _ in deeds {
        session.go(false).unwrap();
    }
    assert_eq!((places(&session).len(), ids(&session).len()), (0, 1));
    session.go(true).unwrap();
    assert_eq!(places(&session), states[2]);
    assert!(published(&session).unwrap().placements[0].take.is_some());
}

#[test]
fn an_arrangement_is_saved_and_opened() {
    let session = with_takes(3);
    let all = ids(&session);
    for (take, variation) in [(all[2], 1), (all[0], 0)] {
        add(&session, take, variation);
    }
    let placed = session.snapshot().arrangement[0].placement.clone();
    session.arrange(Arranging::Change(Placement { repeat: Repeat::UntilNext, gain_db: 2.5, ..placed })).unwrap();
    let text = serde_json::to_string(&session.saved()).unwrap();
    let other = Session::new();
    other.set_host_rate(44_100.0);
    other.restore(serde_json::from_str(&text).unwrap());
    assert_eq!(places(&other), places(&session));
    assert_eq!(serde_json::to_string(&other.saved()).unwrap(), text);
    let arrangement = published(&other).unwrap();
    assert!(arrangement.is_at(44_100) && arrangement.placements.iter().all(|one| one.take.is_some()));
    assert_eq!(other.snapshot().error, None);
    // At another rate.
    other.set_host_rate(96_000.0);
    assert!(published(&other).unwrap().is_at(96_000));
    // One whose take is not there any more is silent, said, and saved again.
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["arrangement"]["placements"][0]["take"] = "0".repeat(64).into();
    other.restore(serde_json::from_value(value).unwrap());
    assert_eq!(places(&other).len(), 1);
    assert!(other.snapshot().error.is_some_and(|words| words.contains("arrangement")));
    let again: SavedSession = serde_json::from_str(&serde_json::to_string(&other.saved()).unwrap()).unwrap();
    assert_eq!(again.arrangement.len(), 2, "both are saved");
}

#[test]
fn a_take_whose_sound_is_gone_is_silent_and_said_and_the_others_play() {
    let session = with_takes(2);
    let all = ids(&session);
    let mut bench = lock(&session.bench);
    let kept = bench.shelf.get_mut(all[0]).unwrap();
    let mut packed = (*kept.packed).clone();
    packed.variations[0].inline = None;
    packed.variations[0].sha256 = "0".repeat(64);
    (kept.packed, kept.take) = (Arc::new(packed), None);
    drop(bench);
    session.arrange(Arranging::Add { take: all[0], variation: 0 }).unwrap();
    session.arrange(Arranging::Add { take: all[1], variation: 0 }).unwrap();
    session.show_arrangement();
    let snapshot = session.snapshot();
    assert!(snapshot.error.is_some_and(|words| words.contains("Take 1") && words.contains("silent")));
    assert_eq!(snapshot.arrangement.iter().map(|block| block.silent).collect::<Vec<_>>(), [true, false]);
    let takes: Vec<bool> = published(&session).unwrap().placements.iter().map(|one| one.take.is_some()).collect();
    assert_eq!(takes, [false, true]);
    session.arrange(Arranging::Remove(snapshot.arrangement[0].placement.id)).unwrap();
    session.show_arrangement();
    assert_eq!(session.snapshot().error, None, "the error goes with its cause");
}

#[test]
fn an_arrangement_is_full_at_some_time() {
    let session = with_takes(1);
    let take = ids(&session)[0];
    for _ in 0..MAX_PLACEMENTS {
        session.arrange(Arranging::Add { take, variation: 0 }).unwrap();
    }
    let full = session.arrange(Arranging::Add { take, variation: 0 });
    assert!(matches!(full, Err(ArrangementError::Full)));
    // What is not there is not placed.
    session.arrange(Arranging::Add { take: TakeId::new(), variation: 0 }).unwrap();
    session.arrange(Arranging::Add { take, variation: 9 }).unwrap();
    assert_eq!(places(&session).len(), MAX_PLACEMENTS);
}

#[test]
fn placed_takes_are_bounded_in_memory() {
    let wanted = |number| {
        let kept = kept(number);
        Wanted { take: kept.id, variation: 0, title: kept.label.title(), packed: kept.packed, unpacked: kept.take }
    };
    assert!(wanted(1).make(Some(48_000), 0).is_ok());
    let Err(error) = wanted(1).make(Some(48_000), MOST_VALUES - 10) else { panic!("too much") };
    assert!(matches!(error, ArrangementError::Memory { .. }) && error.to_string().contains("1024 MB"), "{error}");
}

#[test]
fn who_asks_is_waited_for_until_it_plays() {
    let session = with_takes(1);
    let take = ids(&session)[0];
    session.send(crate::session::Command::Arrange(Arranging::Add { take, variation: 0 }));
    assert!(session.link.arranging());
    drop(Underway::counted(&*session));
    assert!(!session.link.arranging());
    drop(Underway::counted(&*session));
    assert!(!session.link.arranging(), "one that ends twice ends once");
}
