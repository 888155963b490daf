//! Instruction sets as values that only detection gives, and the one function that enables each.

use crate::lanes::Simd;

/// An instruction set that this processor has: a value of such a type is the proof, and nobody else can make one up.
///
/// ```compile_fail
/// let made_up = continuo_simd::Avx512(());
/// ```
pub trait InstructionSet: Copy + Eq + std::fmt::Debug + Send + Sync + 'static {
    /// For people, for example `AVX-512`.
    const NAME: &'static str;
    /// The arithmetic that it has, and the smallest instruction set that has it.
    type Simd: Simd + InstructionSet<Simd = Self::Simd>;

    /// The proof, where the processor has the instruction set.
    fn detect() -> Option<Self>;

    /// Its arithmetic.
    fn simd(self) -> Self::Simd;

    /// Runs `work` inside a function that enables the instruction set.
    fn enable<W: Work>(self, work: W) -> W::Output;

    /// Runs `operation` over this arithmetic, inside a function that enables it: compiled once, it serves every larger
    /// instruction set.
    #[inline(always)]
    fn run<O: Operation>(self, operation: O) -> O::Output {
        let simd = self.simd();
        simd.enable(Over { simd, operation })
    }
}

/// What is compiled inside a function that enables an instruction set.
pub trait Work {
    /// What it gives back.
    type Output;

    /// Does the work. Must be `#[inline(always)]` to be fast.
    fn run(self) -> Self::Output;
}

/// Work that is written once and compiled for every instruction set.
pub trait Operation {
    /// What it gives back.
    type Output;

    /// Does the work with this arithmetic. Must be `#[inline(always)]` to be fast.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

struct Over<S, O> {
    simd: S,
    operation: O,
}

impl<S: Simd, O: Operation> Work for Over<S, O> {
    type Output = O::Output;

    #[inline(always)]
    fn run(self) -> O::Output {
        self.operation.run(self.simd)
    }
}

/// Declares an instruction set. What is detected and what is enabled are one list, and the field of the type is private to
/// the module, so that only the detection makes a value of it.
macro_rules! declare {
    (
        $(#[$doc:meta])*
        $set:ident = $name:literal, $simd:ident, $detected:ident: $first:tt $(, $feature:tt)*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $set(());

        impl $crate::set::InstructionSet for $set {
            const NAME: &'static str = $name;
            type Simd = $simd;

            fn detect() -> Option<Self> {
                let there = std::arch::$detected!($first) $(&& std::arch::$detected!($feature))*;
                there.then_some(Self(()))
            }

            #[inline(always)]
            fn simd(self) -> $simd {
                // This instruction set includes the other: its features are among those of the list.
                $simd(())
            }

            #[inline]
            fn enable<W: $crate::set::Work>(self, work: W) -> W::Output {
                #[target_feature(enable = $first $(, enable = $feature)*)]
                fn enabled<W: $crate::set::Work>(work: W) -> W::Output {
                    work.run()
                }
                // SAFETY: `self` exists, so these features were detected.
                unsafe { enabled(work) }
            }
        }
    };
}
pub(crate) use declare;
