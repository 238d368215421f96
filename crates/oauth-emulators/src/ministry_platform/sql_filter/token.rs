//! The words, signs and literals of a filter.

#[derive(Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

/// The longer ones first.
const SIGNS: [&str; 12] = [
    "<>", "<=", ">=", "!=", "=", "<", ">", "(", ")", ",", "+", "-",
];

impl Token {
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text.eq_ignore_ascii_case(word))
    }

    /// All of them, without the comments.
    pub(super) fn all(filter: &str) -> Result<Vec<Self>, String> {
        let mut tokens = Vec::new();
        let mut rest = filter.trim_start();
        while let Some(first) = rest.chars().next() {
            let token = if rest.starts_with("--") {
                // A comment to the end of the line.
                rest = rest.split_once('\n').map_or("", |(_, after)| after);
                None
            } else if first == '\'' {
                let (text, after) = quoted(&rest[1..])?;
                rest = after;
                Some(Self::Text(text))
            } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                rest = &rest[sign.len()..];
                Some(Self::Sign(sign))
            } else {
                let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
                let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
                if end == 0 {
                    return Err(format!("Incorrect syntax near '{first}'."));
                }
                let (word, after) = rest.split_at(end);
                rest = after;
                Some(Self::Word(word.to_owned()))
            };
            tokens.extend(token);
            rest = rest.trim_start();
        }
        Ok(tokens)
    }

    /// SQL Server's complaint about this token, or about none where one is wanted.
    pub(super) fn unexpected(token: Option<&Self>) -> String {
        match token {
            Some(Self::Word(text) | Self::Text(text)) => {
                format!("Incorrect syntax near '{text}'.")
            }
            Some(Self::Sign(sign)) => format!("Incorrect syntax near '{sign}'."),
            None => "Incorrect syntax near the end of the filter.".to_owned(),
        }
    }
}

/// The text up to its closing quote, a doubled one being a quote itself, and what follows.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest
            .split_once('\'')
            .ok_or("Unclosed quotation mark after the character string.")?;
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            // A backslash at the end of a line continues the text on the next one.
            None => return Ok((value.replace("\\\r\n", "").replace("\\\n", ""), after)),
        }
    }
}
