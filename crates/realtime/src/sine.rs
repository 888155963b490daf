//! The sine, for tables that are made while this is compiled.

/// The sine of an angle from 0 to a little more than a quarter of the circle, by its series.
pub(crate) const fn sine(angle: f64) -> f64 {
    let (mut term, mut total, mut n) = (angle, angle, 1.0);
    while n < 25.0 {
        term *= -angle * angle / ((n + 1.0) * (n + 2.0));
        total += term;
        n += 2.0;
    }
    total
}
