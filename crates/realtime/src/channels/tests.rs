use super::*;

/// Has a channel choose a registered parameter and set it.
fn register(all: &mut Channels, channel: usize, parameter: [u8; 2], value: u8) -> Outcome {
    assert_eq!(all.control(channel, 101, parameter[0]), Outcome::Nothing);
    assert_eq!(all.control(channel, 100, parameter[1]), Outcome::Nothing);
    all.control(channel, 6, value)
}

fn listed(channels: Group) -> std::vec::Vec<usize> {
    (0..CHANNELS).filter(|channel| channels.has(*channel)).collect()
}

#[test]
fn zones_are_as_large_as_they_were_said_and_the_later_one_has_its_way() {
    for (acts, members) in [
        (&[(0, 15)][..], [15, 0]),
        (&[(15, 15)], [0, 15]),
        (&[(0, 7), (15, 7)], [7, 7]),
        (&[(0, 7), (15, 10)], [4, 10]),
        (&[(15, 6), (0, 14)], [14, 0]),
        (&[(15, 6), (0, 127)], [15, 0]),
        (&[(0, 5), (15, 3), (0, 0)], [0, 3]),
        (&[(3, 5), (14, 2)], [0, 0]),
    ] {
        let mut all = Channels::new();
        for (channel, count) in acts {
            register(&mut all, *channel, ZONE, *count);
        }
        assert_eq!(all.members, members, "{acts:?}");
        let mastered = |master: usize| (0..CHANNELS).filter(|channel| all.master(*channel) == Some(master)).count();
        assert_eq!([mastered(0), mastered(15)], members, "{acts:?}");
    }
}

#[test]
fn a_zones_wheel_and_pedal_are_its_members_too() {
    let mut all = Channels::new();
    register(&mut all, 0, ZONE, 4);
    register(&mut all, 15, ZONE, 3);
    assert_eq!(listed(all.hears(0)), [0, 1, 2, 3, 4]);
    assert_eq!(listed(all.hears(15)), [12, 13, 14, 15]);
    assert_eq!(listed(all.hears(2)), [2]);
    all.bend(0, 0.5);
    all.bend(2, -0.25);
    all.bend(12, 1.0);
    // The master's wheel has the user's range, the members' 48 semitones.
    let semitones: std::vec::Vec<f64> = [0, 1, 2, 5, 12, 15].map(|channel| all.semitones(channel, 2.0)).into();
    assert_eq!(semitones, [1.0, 1.0, 1.0 - 12.0, 0.0, 48.0, 0.0]);
    assert!(all.pedal(0, true) && !all.pedal(0, true));
    assert_eq!((0..CHANNELS).filter(|channel| all.holds(*channel)).collect::<std::vec::Vec<_>>(), [0, 1, 2, 3, 4]);
    let rested = all.at_rest();
    assert!((0..CHANNELS).all(|channel| rested.semitones(channel, 2.0) == 0.0 && !rested.holds(channel)));
    assert_eq!(rested.members, [4, 3]);
}

#[test]
fn a_range_holds_for_its_channel_or_all_members_until_it_is_said_anew() {
    let mut all = Channels::new();
    (0..CHANNELS).for_each(|channel| all.bend(channel, 1.0));
    // Without a choice, and with another parameter chosen, data says nothing.
    assert_eq!(all.control(3, 6, 12), Outcome::Nothing);
    register(&mut all, 3, [0, 1], 12);
    assert_eq!(all.semitones(3, 2.0), 2.0);
    assert_eq!(register(&mut all, 3, BEND_RANGE, 12), Outcome::Bent(Group(1 << 3)));
    all.control(3, 38, 50);
    assert_eq!((all.semitones(3, 2.0), all.semitones(4, 2.0)), (12.5, 2.0));
    // A reset leaves it, and lets data be meant for nothing.
    all.rest(Group::ALL);
    all.bend(3, 1.0);
    all.control(3, 6, 7);
    assert_eq!(all.semitones(3, 2.0), 12.5);
    // So do parameters of another kind, and the one that is none.
    for (controller, value) in [(99, 0), (98, 0)] {
        all.control(3, 101, 0);
        all.control(3, 100, 0);
        all.control(3, controller, value);
        all.control(3, 6, 7);
        assert_eq!(all.semitones(3, 2.0), 12.5, "{controller}");
    }
    register(&mut all, 3, NO_PARAMETER, 7);
    assert_eq!(all.semitones(3, 2.0), 12.5);
    all.forget_ranges();
    assert_eq!(all.semitones(3, 2.0), 2.0);

    register(&mut all, 0, ZONE, 5);
    assert_eq!(listed_of(register(&mut all, 4, BEND_RANGE, 24)), [0, 1, 2, 3, 4, 5]);
    register(&mut all, 0, BEND_RANGE, 7);
    for channel in [0, 1, 6] {
        all.bend(channel, 1.0);
    }
    all.forget_ranges();
    // Members keep theirs; the master's and those of channels outside are the user's again.
    assert_eq!([0, 1, 6].map(|channel| all.semitones(channel, 2.0)), [2.0, 26.0, 2.0]);
    register(&mut all, 0, BEND_RANGE, 7);
    assert_eq!([0, 1, 6].map(|channel| all.semitones(channel, 2.0)), [7.0, 31.0, 2.0]);
    register(&mut all, 0, ZONE, 5);
    all.bend(1, 1.0);
    assert_eq!(all.semitones(1, 2.0), 48.0);
    register(&mut all, 0, ZONE, 0);
    all.bend(1, 1.0);
    assert_eq!(all.semitones(1, 2.0), 2.0);
}

fn listed_of(outcome: Outcome) -> std::vec::Vec<usize> {
    match outcome {
        Outcome::Bent(channels) => listed(channels),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_zone_ends_notes_only_where_something_changes() {
    let mut all = Channels::new();
    let zoned = |outcome| match outcome {
        Outcome::Zoned(rested, ended) => (listed(rested), listed(ended)),
        other => panic!("{other:?}"),
    };
    assert_eq!(zoned(register(&mut all, 0, ZONE, 3)), ((0..4).collect(), (0..4).collect()));
    assert_eq!(zoned(all.control(0, 6, 3)), ((0..4).collect(), [].into()), "the sender says it again");
    assert_eq!(zoned(all.control(0, 6, 5)), ((0..6).collect(), [4, 5].into()));
    let (rested, ended) = zoned(register(&mut all, 15, ZONE, 11));
    assert_eq!((rested, ended), ((4..16).collect(), (4..16).collect()));
}
