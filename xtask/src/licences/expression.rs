//! SPDX licence expressions (SPDX 2.3, annex D), as far as crates use them.

/// A licence expression.
#[derive(Debug, PartialEq, Eq)]
pub enum Expression {
    /// One licence, with its exception if it has one ("Apache-2.0 WITH LLVM-exception").
    Licence(String),
    /// Any of these may be chosen.
    Any(Vec<Expression>),
    /// All of these hold.
    All(Vec<Expression>),
}

impl Expression {
    /// Reads an expression. `/` is what older crates wrote for `OR`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words = spaced.split_whitespace().peekable();
        let expression = any(&mut words)?;
        match words.next() {
            None => Ok(expression),
            Some(word) => Err(format!("{word:?} was not expected")),
        }
    }

    /// Whether one can comply with allowed licences only.
    pub fn allows(&self, allowed: &dyn Fn(&str) -> bool) -> bool {
        match self {
            // A licence with an exception grants more than the licence alone.
            Self::Licence(id) => allowed(id) || id.split_once(" WITH ").is_some_and(|(licence, _)| allowed(licence)),
            Self::Any(parts) => parts.iter().any(|part| part.allows(allowed)),
            Self::All(parts) => parts.iter().all(|part| part.allows(allowed)),
        }
    }
}

type Words<'a, I> = std::iter::Peekable<I>;

fn any<'a, I: Iterator<Item = &'a str>>(words: &mut Words<'a, I>) -> Result<Expression, String> {
    series(words, "OR", all, Expression::Any)
}

fn all<'a, I: Iterator<Item = &'a str>>(words: &mut Words<'a, I>) -> Result<Expression, String> {
    series(words, "AND", one, Expression::All)
}

/// `part (separator part)*`; a lone part stays itself.
fn series<'a, I: Iterator<Item = &'a str>>(
    words: &mut Words<'a, I>,
    separator: &str,
    part: fn(&mut Words<'a, I>) -> Result<Expression, String>,
    join: fn(Vec<Expression>) -> Expression,
) -> Result<Expression, String> {
    let first = part(words)?;
    let mut parts = vec![first];
    while words.next_if(|word| word.eq_ignore_ascii_case(separator)).is_some() {
        parts.push(part(words)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { join(parts) })
}

fn one<'a, I: Iterator<Item = &'a str>>(words: &mut Words<'a, I>) -> Result<Expression, String> {
    match words.next() {
        None => Err("it ends too early".to_owned()),
        Some("(") => {
            let inner = any(words)?;
            if words.next() == Some(")") { Ok(inner) } else { Err("a parenthesis is not closed".to_owned()) }
        }
        Some(word) if [")", "OR", "AND", "WITH"].contains(&word) => Err(format!("{word:?} was not expected")),
        Some(id) => {
            if words.next_if(|word| word.eq_ignore_ascii_case("WITH")).is_none() {
                return Ok(Expression::Licence(id.to_owned()));
            }
            let exception = words.next().ok_or("it ends after WITH")?;
            Ok(Expression::Licence(format!("{id} WITH {exception}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(text: &str, allowed: &[&str]) -> bool {
        Expression::parse(text).unwrap().allows(&|id| allowed.contains(&id))
    }

    #[test]
    fn and_binds_tighter_than_or() {
        assert!(allows("GPL-3.0 AND Zlib OR MIT", &["MIT"]));
        assert!(!allows("GPL-3.0 AND (Zlib OR MIT)", &["MIT"]));
        assert!(allows("(MIT OR Apache-2.0) AND Unicode-3.0", &["MIT", "Unicode-3.0"]));
        assert!(!allows("(MIT OR Apache-2.0) AND Unicode-3.0", &["MIT"]));
    }

    #[test]
    fn an_exception_adds_to_a_licence() {
        assert!(allows("Apache-2.0 WITH LLVM-exception", &["Apache-2.0"]));
        assert!(allows("GPL-3.0 WITH Classpath-exception-2.0", &["GPL-3.0 WITH Classpath-exception-2.0"]));
        assert!(!allows("GPL-3.0 WITH Classpath-exception-2.0", &["MIT"]));
    }

    #[test]
    fn the_old_slash_means_or() {
        assert!(allows("MIT/Apache-2.0", &["Apache-2.0"]));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["", "MIT OR", "(MIT", "MIT)", "AND MIT", "MIT Apache-2.0", "GPL-3.0 WITH"] {
            assert!(Expression::parse(text).is_err(), "{text:?}");
        }
    }
}
