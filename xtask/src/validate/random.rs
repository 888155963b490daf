//! Random values for parameters, the same in every run.

use continuo_testhost::Parameter;
use fastrand::Rng;

/// A value in the parameter's range: an end of it now and then, a whole one if it takes only those.
pub fn value(parameter: &Parameter, random: &mut Rng) -> f64 {
    let value = match random.u32(..6) {
        0 => parameter.min,
        1 => parameter.max,
        _ => parameter.min + (parameter.max - parameter.min) * random.f64(),
    };
    if parameter.stepped { value.round() } else { value }
}

/// One of them.
pub fn pick<T: Copy>(from: &[T], random: &mut Rng) -> T {
    from[random.usize(..from.len())]
}

#[cfg(test)]
mod tests {
    use continuo_testhost::ClapId;

    use super::*;

    #[test]
    fn values_reach_both_ends_and_stay_between_them() {
        let mut parameter = Parameter {
            id: ClapId::new(1),
            name: "Length".to_owned(),
            min: -2.0,
            max: 5.5,
            default: 0.0,
            stepped: false,
            writable: true,
        };
        let mut random = Rng::with_seed(1);
        let values: Vec<f64> = (0..1000).map(|_| value(&parameter, &mut random)).collect();
        assert!(values.iter().all(|value| (-2.0..=5.5).contains(value)));
        assert!(values.contains(&-2.0) && values.contains(&5.5));
        parameter.stepped = true;
        assert!((0..1000).map(|_| value(&parameter, &mut random)).all(|value| value.fract() == 0.0));
        assert!((0..100).any(|_| pick(&[1, 2, 3], &mut random) == 3));
    }
}
