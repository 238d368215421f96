//! Parts of the catalogue's texts: code in backticks, and RFC sections with their addresses.

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Plain(String),
    Code(String),
    Link(String, String),
}

/// A text with code in backticks.
pub(super) fn marked(text: &str) -> Vec<Part> {
    text.split('`')
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(index, part)| match index % 2 {
            0 => Part::Plain(part.to_owned()),
            _ => Part::Code(part.to_owned()),
        })
        .collect()
}

/// A source such as `6749 §3.1, §4.1.1; 7636 §4.3`, each section with its address.
pub(super) fn sources(source: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (index, norm) in source.split("; ").enumerate() {
        if index > 0 {
            parts.push(Part::Plain("; ".to_owned()));
        }
        let (number, rest) = norm.split_once(' ').unwrap_or((norm, ""));
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            parts.push(Part::Plain(norm.to_owned()));
            continue;
        }
        let rfc = format!("https://www.rfc-editor.org/rfc/rfc{number}");
        parts.push(Part::Link(format!("RFC {number}"), rfc.clone()));
        for (index, place) in rest
            .split(", ")
            .filter(|place| !place.is_empty())
            .enumerate()
        {
            parts.push(Part::Plain(if index == 0 { " " } else { ", " }.to_owned()));
            // `§4.1.1` or `§4.1.1 of the draft`: the number is what the address needs.
            let section: String = place
                .trim_start_matches('§')
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '.')
                .collect();
            parts.push(if place.starts_with('§') && !section.is_empty() {
                Part::Link(place.to_owned(), format!("{rfc}#section-{section}"))
            } else {
                Part::Plain(place.to_owned())
            });
        }
    }
    parts
}
