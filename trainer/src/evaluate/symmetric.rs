//! Eigenvalues and square roots of symmetric matrices, in double precision.

/// A symmetric matrix, `[N, N]` in rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Symmetric {
    size: usize,
    values: Vec<f64>,
}

/// Sweeps after which Jacobi's method has long converged: it takes about ten.
const MOST_SWEEPS: usize = 60;

impl Symmetric {
    /// The matrix whose entry at a row and a column up to that row is this.
    pub fn from_lower(size: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let mut values = vec![0.0; size * size];
        for row in 0..size {
            for column in 0..=row {
                let value = entry(row, column);
                values[row * size + column] = value;
                values[column * size + row] = value;
            }
        }
        Self { size, values }
    }

    /// Rows and columns.
    pub fn size(&self) -> usize {
        self.size
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.size..(row + 1) * self.size]
    }

    /// One entry.
    pub fn entry(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.size + column]
    }

    /// The sum of the diagonal.
    pub fn trace(&self) -> f64 {
        (0..self.size).map(|at| self.entry(at, at)).sum()
    }

    /// Eigenvalues, and the eigenvectors as rows in the same order, by cyclic Jacobi rotations (Golub & Van Loan, *Matrix
    /// Computations*, 4th edition, 8.5): slow for large matrices and as exact as doubles are, for tiny eigenvalues too.
    pub fn eigen(&self) -> (Vec<f64>, Vec<Vec<f64>>) {
        let size = self.size;
        let mut a: Vec<Vec<f64>> = (0..size).map(|row| self.row(row).to_vec()).collect();
        let mut vectors: Vec<Vec<f64>> =
            (0..size).map(|row| (0..size).map(|column| f64::from(u8::from(row == column))).collect()).collect();
        for _ in 0..MOST_SWEEPS {
            let mut turned = false;
            for p in 0..size {
                for q in p + 1..size {
                    let (app, aqq, apq) = (a[p][p], a[q][q], a[p][q]);
                    // What no longer changes the diagonal in doubles is zero.
                    if apq.abs() <= f64::EPSILON * 0.5 * (app.abs() * aqq.abs()).sqrt() || apq.abs() < f64::MIN_POSITIVE
                    {
                        continue;
                    }
                    turned = true;
                    let theta = (aqq - app) / (2.0 * apq);
                    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                    let cosine = 1.0 / tangent.hypot(1.0);
                    rotate(&mut a, (p, q), (cosine, tangent * cosine));
                    rotate_rows(&mut vectors, (p, q), (cosine, tangent * cosine));
                }
            }
            if !turned {
                break;
            }
        }
        ((0..size).map(|at| a[at][at]).collect(), vectors)
    }

    /// The matrix with the same eigenvectors whose eigenvalues are the square roots; those below zero, which rounding makes of
    /// zeros, count as zero.
    #[must_use]
    pub fn square_root(&self) -> Self {
        let (values, vectors) = self.eigen();
        let roots: Vec<f64> = values.iter().map(|value| value.max(0.0).sqrt()).collect();
        Self::from_lower(self.size, |row, column| {
            roots.iter().zip(&vectors).map(|(root, vector)| root * vector[row] * vector[column]).sum()
        })
    }

    /// `self · other · self`, which is symmetric again.
    #[must_use]
    pub fn around(&self, other: &Self) -> Self {
        let size = self.size;
        let mut half = vec![0.0; size * size];
        for row in 0..size {
            for (inner, &left) in self.row(row).iter().enumerate() {
                let target = &mut half[row * size..(row + 1) * size];
                target.iter_mut().zip(other.row(inner)).for_each(|(sum, right)| *sum += left * right);
            }
        }
        Self::from_lower(size, |row, column| {
            half[row * size..(row + 1) * size].iter().zip(self.row(column)).map(|(left, right)| left * right).sum()
        })
    }
}

/// Turns two rows of vectors.
fn rotate_rows(rows: &mut [Vec<f64>], (p, q): (usize, usize), (cosine, sine): (f64, f64)) {
    let (before, after) = rows.split_at_mut(q);
    for (x, y) in before[p].iter_mut().zip(&mut after[0]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

/// Turns two rows and the same two columns.
fn rotate(a: &mut [Vec<f64>], (p, q): (usize, usize), (cosine, sine): (f64, f64)) {
    rotate_rows(a, (p, q), (cosine, sine));
    for row in a {
        (row[p], row[q]) = (cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    /// A matrix of `rank` random outer products.
    fn random(size: usize, rank: usize) -> Symmetric {
        let mut random = Random::new(3, Purpose::named("matrices of the tests"), size as u64);
        let factors: Vec<Vec<f64>> =
            (0..rank).map(|_| (0..size).map(|_| f64::from(random.uniform()) - 0.5).collect()).collect();
        Symmetric::from_lower(size, |row, column| factors.iter().map(|factor| factor[row] * factor[column]).sum())
    }

    #[test]
    fn eigenvectors_are_turned_by_nothing_and_roots_squared_are_the_matrix() {
        for (size, rank) in [(1, 1), (2, 2), (7, 3), (40, 90), (96, 30)] {
            let matrix = random(size, rank);
            let (values, vectors) = matrix.eigen();
            for (value, vector) in values.iter().zip(&vectors) {
                let turned = (0..size).map(|row| matrix.row(row).iter().zip(vector).map(|(a, v)| a * v).sum::<f64>());
                assert!(turned.zip(vector).all(|(turned, v)| (turned - value * v).abs() < 1e-11), "{size}");
            }
            for (at, a) in vectors.iter().enumerate() {
                for (other, b) in vectors.iter().enumerate() {
                    let product: f64 = a.iter().zip(b).map(|(x, y)| x * y).sum();
                    assert!((product - f64::from(u8::from(at == other))).abs() < 1e-11);
                }
            }
            assert!((values.iter().sum::<f64>() - matrix.trace()).abs() < 1e-10);
            assert!(values.iter().filter(|value| **value > 1e-9).count() == rank.min(size));
            let root = matrix.square_root();
            let one = Symmetric::from_lower(size, |row, column| f64::from(u8::from(row == column)));
            let square = root.around(&one);
            assert!(square.values.iter().zip(&matrix.values).all(|(a, b)| (a - b).abs() < 1e-10), "{size}");
        }
    }
}
