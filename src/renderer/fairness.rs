//! Tests: whose turn it is when several instances render.

use std::path::Path;
use std::sync::Arc;

use super::job;
use super::shared::Shared;
use crate::session::{FileChoice, Session, Status, lock};
use crate::settings::{Mode, SeedSource, Settings};

const VARIATIONS: u32 = 3;
const FRAMES: usize = 320;

/// A session that goes on from nothing, with the factory's model.
fn session() -> Arc<Session> {
    let session = Session::new();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/models/piano-16k.continuo");
    session.post(|snapshot| snapshot.model = FileChoice::chosen(model));
    session
}

fn ask(shared: &Shared, session: &Arc<Session>, rng_seed: u64) {
    session.link.begin_request();
    let settings = Settings {
        mode: Mode::Unconditional,
        seconds: FRAMES as f64 / 16_000.0,
        temperature: 1.0,
        top_k: 0,
        code_temperature: 1.0,
        code_top_k: 0,
        class: 0,
        rng_seed,
        variations: VARIATIONS,
        seed_source: SeedSource::Clip,
        tempo: 120.0,
    };
    shared.submit(session, settings);
}

/// Serves what is due; `false` when nothing waits.
fn serve(shared: &Shared) -> bool {
    let request = lock(&shared.queue).next_request();
    request.map(|request| job::serve(shared, request)).is_some()
}

/// Whole variations of the take in the making.
fn begun(session: &Session) -> usize {
    let bench = lock(&session.bench);
    bench.live.as_ref().map_or(0, |live| live.frames().iter().filter(|channels| channels[0].len() == FRAMES).count())
}

fn takes(session: &Session) -> usize {
    session.snapshot().takes.len()
}

/// The sounds of a session's newest take, as bits.
fn sounds(session: &Session) -> Vec<Vec<u32>> {
    let bench = lock(&session.bench);
    let take = bench.shelf.chosen().and_then(|kept| kept.take.clone()).unwrap();
    take.variations.iter().map(|clip| clip.channels[0].iter().map(|value| value.to_bits()).collect()).collect()
}

#[test]
fn the_last_of_sixteen_waits_for_first_variations_only() {
    let shared = Shared::default();
    let sessions: Vec<_> = (0..16).map(|_| session()).collect();
    for (at, session) in sessions.iter().enumerate() {
        ask(&shared, session, at as u64);
    }
    for session in &sessions[..15] {
        assert_eq!((begun(session), takes(session)), (0, 0));
        assert!(serve(&shared));
        assert_eq!((begun(session), takes(session)), (1, 0));
        assert!(session.link.rendering(), "an offline host waits on");
    }
    // When the last one's turn comes nobody waits for a first one any more: it gets all at once.
    assert!(serve(&shared));
    assert_eq!(takes(&sessions[15]), 1);
    assert!(sessions[..15].iter().all(|session| takes(session) == 0));

    // Whoever asks now does not wait for what the others still want either.
    assert!(serve(&shared));
    assert_eq!(takes(&sessions[0]), 1);
    let late = session();
    ask(&shared, &late, 99);
    shared.tend_queue();
    assert_eq!(late.snapshot().status, Status::Waiting { ahead: 0 });
    assert_eq!(sessions[1].snapshot().status, Status::Waiting { ahead: 1 });
    assert_eq!(sessions[14].snapshot().status, Status::Waiting { ahead: 14 });
    assert!(serve(&shared));
    assert_eq!(takes(&late), 1);

    while serve(&shared) {}
    for (at, session) in sessions.iter().enumerate() {
        assert!(matches!(session.snapshot().status, Status::Finished { .. }) && !session.link.rendering());
        assert_eq!(takes(session), 1, "session {at}");
    }

    // Whether made in one pass or in two, a take is the same.
    for at in [0, 14] {
        let alone = session();
        ask(&shared, &alone, at as u64);
        assert!(serve(&shared) && !serve(&shared));
        assert_eq!(sounds(&alone).len(), VARIATIONS as usize);
        assert!(sounds(&alone) == sounds(&sessions[at]), "session {at}");
        let bits = |session: &Session| session.snapshot().takes[0].bits_per_frame.clone();
        assert_eq!(bits(&alone), bits(&sessions[at]));
    }
}

#[test]
fn what_is_cancelled_between_two_turns_leaves_nothing() {
    let shared = Shared::default();
    let (one, other) = (session(), session());
    ask(&shared, &one, 1);
    ask(&shared, &other, 2);
    assert!(serve(&shared));
    assert_eq!(begun(&one), 1);
    one.cancel_all();
    shared.tend_queue();
    assert!(lock(&one.bench).live.is_none());
    assert_eq!(one.snapshot().status, Status::Cancelled);
    assert!(!one.link.rendering());
    while serve(&shared) {}
    assert_eq!((takes(&one), takes(&other)), (0, 1));
}
