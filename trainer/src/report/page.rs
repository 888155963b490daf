//! The skeleton of a page: text, tables and figures, all of it escaped.

use std::fmt::Write as _;

use crate::names::printable_lines;

/// How pages look. Light and dark, from narrow to wide, on paper too.
const STYLE: &str = "\
:root{--ink:#1c1e21;--dim:#5f6670;--line:#d8dce1;--back:#fff;--bad:#b3261e;--warn:#8a5a00;--good:#1b6e3c;
--c0:#2f6fb0;--c1:#c8641b;--c2:#3c8a4e;--c3:#9b4d96;--c4:#8a6d2f;--c5:#4b8f9a;--c6:#a8404f;--c7:#6b6f76}
@media (prefers-color-scheme:dark){:root{--ink:#e7e9ec;--dim:#a2a9b3;--line:#3a3f46;--back:#16181b;--bad:#ff8a80;--warn:#f0b95a;
--good:#7fd39a;--c0:#6fa8e6;--c1:#f0975a;--c2:#7cc98c;--c3:#d08fcb;--c4:#d0b46e;--c5:#82c7d2;--c6:#e88694;--c7:#a6abb3}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 .5rem}h2{font-size:1.2rem;margin:2rem 0 .5rem}p{margin:.4rem 0;max-width:50rem}
figure{margin:1rem 0}figcaption{color:var(--dim);max-width:50rem}
svg{width:100%;max-width:50rem;height:auto;display:block}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .dim{fill:var(--dim)}svg .grid{stroke:var(--line)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;margin:.5rem 0}
th,td{padding:.2rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;white-space:nowrap}.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.bad{color:var(--bad)}.warn{color:var(--warn)}.good{color:var(--good)}.dim{color:var(--dim)}
";

/// Text for HTML and SVG: what is markup is spelt as entities, and control characters, which no XML may hold, are written out.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in printable_lines(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // No characters in XML.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

/// What stands in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Words, to the left.
    Text(String),
    /// A figure, to the right.
    Number(String),
    /// A figure to be seen: `bad`, `warn`, `good` or `dim`.
    Marked(&'static str, String),
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A figure.
    pub fn number(text: impl Into<String>) -> Self {
        Self::Number(text.into())
    }

    fn html(&self) -> String {
        match self {
            Self::Text(text) => format!("<td>{}</td>", escape(text)),
            Self::Number(text) => format!("<td class=\"number\">{}</td>", escape(text)),
            Self::Marked(class, text) => format!("<td class=\"number {class}\">{}</td>", escape(text)),
        }
    }
}

/// A page in the making.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    /// A page with a title, which is its first heading too.
    pub fn new(title: &str) -> Self {
        let title = escape(title);
        Self { body: format!("<h1>{title}</h1>\n"), title }
    }

    /// A heading of the second level.
    pub fn heading(&mut self, text: &str) -> &mut Self {
        let _ = writeln!(self.body, "<h2>{}</h2>", escape(text));
        self
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) -> &mut Self {
        let _ = writeln!(self.body, "<p>{}</p>", escape(text));
        self
    }

    /// A paragraph in a colour: `bad`, `warn`, `good` or `dim`; what is in `lead` is set strong.
    pub fn marked(&mut self, class: &'static str, lead: &str, text: &str) -> &mut Self {
        let _ = writeln!(self.body, "<p><strong class=\"{class}\">{}</strong> {}</p>", escape(lead), escape(text));
        self
    }

    /// A plot, as the functions beside this one write it, with what is to be said of it.
    pub fn figure(&mut self, svg: &str, caption: &str) -> &mut Self {
        let _ = writeln!(self.body, "<figure>\n{svg}\n<figcaption>{}</figcaption></figure>", escape(caption));
        self
    }

    /// A table with a heading for each column.
    pub fn table(&mut self, headings: &[&str], rows: &[Vec<Cell>]) -> &mut Self {
        self.body.push_str("<div class=\"scroll\"><table><thead><tr>");
        for heading in headings {
            let _ = write!(self.body, "<th>{}</th>", escape(heading));
        }
        self.body.push_str("</tr></thead><tbody>\n");
        for row in rows {
            let cells: String = row.iter().map(Cell::html).collect();
            let _ = writeln!(self.body, "<tr>{cells}</tr>");
        }
        self.body.push_str("</tbody></table></div>\n");
        self
    }

    /// A sound to listen to, inside the page: the bytes of a WAV, coded by the caller as base64.
    pub fn sound(&mut self, base64_wav: &str, caption: &str) -> &mut Self {
        let _ = writeln!(
            self.body,
            "<figure><audio controls=\"controls\" preload=\"none\" src=\"data:audio/wav;base64,{}\"></audio>\
             <figcaption>{}</figcaption></figure>",
            escape(base64_wav),
            escape(caption)
        );
        self
    }

    /// The file. It is well-formed XML as well as HTML.
    pub fn finish(&self) -> String {
        format!(
            "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head><meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{}</title>\n\
             <style>{STYLE}</style></head>\n<body>\n{}</body></html>\n",
            self.title, self.body
        )
    }
}

/// Checks that every element that is opened is closed, in order: what browsers and XML readers agree on.
#[cfg(test)]
pub(crate) fn well_formed(text: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let Some(length) = rest[at..].find('>') else { return Err("a tag without end".into()) };
        let tag = &rest[at + 1..at + length];
        rest = &rest[at + length + 1..];
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default();
        if tag.matches('"').count() % 2 == 1 {
            return Err(format!("an attribute of <{tag}> has no end"));
        }
        let alone = tag.starts_with('!') || tag.ends_with('/');
        if !alone && !tag.starts_with('/') {
            open.push(name);
        } else if !alone && open.pop() != Some(name) {
            return Err(format!("</{name}> closes nothing"));
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("never closed: {open:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_cannot_become_markup() {
        let mut page = Page::new("<b>&\"'\x1b[31m");
        page.heading("a < b")
            .paragraph("</p><script>")
            .marked("bad", "<i>", "\u{ffff}")
            .table(&["<th>"], &[vec![Cell::text("<td>"), Cell::number("1"), Cell::Marked("warn", "\0".into())]]);
        page.sound("AAAA", "a > b").figure("<svg></svg>", "\u{202e}");
        let html = page.finish();
        assert_eq!(well_formed(&html), Ok(()));
        assert!(!html.contains("<script") && !html.contains(['\x1b', '\0', '\u{ffff}', '\u{202e}']), "{html}");
        assert!(html.contains("<h1>&lt;b&gt;&amp;&quot;&#39;\\u{1b}[31m</h1>"), "{html}");
        assert!(!html.contains("http:") || html.matches("http").count() == 1, "nothing from elsewhere");
        assert!(well_formed("<a><b></a></b>").is_err() && well_formed("<p>").is_err());
    }
}
