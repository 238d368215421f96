//! `$filter` is a piece of SQL's WHERE, not OData: comparisons joined by AND and OR.
//!
//! What a careless client builds out of foreign text works here as it would there, so that a
//! test sees the injection: `Client_ID = 'x' OR '1'='1'` matches every row.

use serde_json::Value;

use super::table::Row;
use super::tables::column;

/// A condition: any of the groups, in which all comparisons hold (AND binds before OR).
pub(super) struct Filter(Vec<Vec<Comparison>>);

struct Comparison {
    left: Operand,
    operator: Operator,
    right: Operand,
}

#[derive(Clone, Copy)]
enum Operator {
    Equal,
    NotEqual,
    IsNull,
    IsNotNull,
}

enum Operand {
    Column(String),
    Text(String),
    Number(i64),
    Null,
}

#[derive(Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

impl Filter {
    /// # Errors
    ///
    /// What SQL Server would say about it.
    pub(super) fn parse(filter: &str, columns: &[&str]) -> Result<Self, String> {
        let mut parser = Parser {
            tokens: tokens(filter)?,
            next: 0,
            columns,
        };
        let mut groups = vec![vec![parser.comparison()?]];
        loop {
            match parser.take() {
                None => return Ok(Self(groups)),
                Some(token) if is_word(&token, "AND") => {
                    let comparison = parser.comparison()?;
                    if let Some(group) = groups.last_mut() {
                        group.push(comparison);
                    }
                }
                Some(token) if is_word(&token, "OR") => groups.push(vec![parser.comparison()?]),
                Some(token) => return Err(near(Some(&token))),
            }
        }
    }

    pub(super) fn matches(&self, row: &Row) -> bool {
        let mut groups = self.0.iter();
        groups.any(|group| group.iter().all(|comparison| comparison.holds(row)))
    }
}

impl Comparison {
    fn holds(&self, row: &Row) -> bool {
        let (left, right) = (self.left.value(row), self.right.value(row));
        match self.operator {
            Operator::IsNull => left.is_none(),
            Operator::IsNotNull => left.is_some(),
            // Nothing is equal to NULL, and nothing differs from it.
            Operator::Equal => left.zip(right).is_some_and(|(left, right)| left == right),
            Operator::NotEqual => left.zip(right).is_some_and(|(left, right)| left != right),
        }
    }
}

impl Operand {
    /// As SQL Server's usual collation compares: without case and without trailing blanks.
    fn value(&self, row: &Row) -> Option<String> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Null => return None,
            Self::Column(name) => match row.get(name)? {
                Value::Null => return None,
                Value::String(text) => text.clone(),
                Value::Bool(bit) => u8::from(*bit).to_string(),
                other => other.to_string(),
            },
        };
        Some(text.trim_end_matches(' ').to_lowercase())
    }
}

struct Parser<'c> {
    tokens: Vec<Token>,
    next: usize,
    columns: &'c [&'c str],
}

impl Parser<'_> {
    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn comparison(&mut self) -> Result<Comparison, String> {
        let left = self.operand()?;
        let token = self.take();
        let (operator, right) = match &token {
            Some(Token::Sign("=")) => (Operator::Equal, self.operand()?),
            Some(Token::Sign("<>")) => (Operator::NotEqual, self.operand()?),
            Some(word) if is_word(word, "IS") => (self.null_test()?, Operand::Null),
            other => return Err(near(other.as_ref())),
        };
        Ok(Comparison {
            left,
            operator,
            right,
        })
    }

    fn null_test(&mut self) -> Result<Operator, String> {
        let (mut token, mut operator) = (self.take(), Operator::IsNull);
        if token.as_ref().is_some_and(|token| is_word(token, "NOT")) {
            (token, operator) = (self.take(), Operator::IsNotNull);
        }
        match token {
            Some(token) if is_word(&token, "NULL") => Ok(operator),
            other => Err(near(other.as_ref())),
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        match self.take() {
            Some(Token::Text(text)) => Ok(Operand::Text(text)),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("NULL") => Ok(Operand::Null),
            Some(Token::Word(word)) if word.starts_with(|c: char| c.is_ascii_digit()) => word
                .parse()
                .map(Operand::Number)
                .map_err(|_| near(Some(&Token::Word(word)))),
            Some(Token::Word(word)) => {
                let name = column(&word, self.columns)?;
                Ok(Operand::Column(name.to_owned()))
            }
            other => Err(near(other.as_ref())),
        }
    }
}

fn tokens(filter: &str) -> Result<Vec<Token>, String> {
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
            Some(Token::Text(text))
        } else if let Some(sign) = ["<>", "="].into_iter().find(|sign| rest.starts_with(sign)) {
            rest = &rest[sign.len()..];
            Some(Token::Sign(sign))
        } else {
            let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
            let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("Incorrect syntax near '{first}'."));
            }
            let (word, after) = rest.split_at(end);
            rest = after;
            Some(Token::Word(word.to_owned()))
        };
        tokens.extend(token);
        rest = rest.trim_start();
    }
    Ok(tokens)
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
            None => return Ok((value, after)),
        }
    }
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(text) if text.eq_ignore_ascii_case(word))
}

fn near(token: Option<&Token>) -> String {
    match token {
        Some(Token::Word(text) | Token::Text(text)) => format!("Incorrect syntax near '{text}'."),
        Some(Token::Sign(sign)) => format!("Incorrect syntax near '{sign}'."),
        None => "Incorrect syntax near the end of the filter.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COLUMNS: &[&str] = &["Client_ID", "Client_Secret", "API_Client_ID"];

    fn matching(filter: &str) -> Result<Vec<i64>, String> {
        let rows = [
            json!({"API_Client_ID": 1, "Client_ID": "demo", "Client_Secret": "s"}),
            json!({"API_Client_ID": 2, "Client_ID": "o'brien", "Client_Secret": null}),
        ];
        let filter = Filter::parse(filter, COLUMNS)?;
        let rows = rows.iter().filter_map(Value::as_object);
        Ok(rows
            .filter(|row| filter.matches(row))
            .filter_map(|row| row["API_Client_ID"].as_i64())
            .collect())
    }

    #[test]
    fn literals_are_compared_as_sql_server_does() {
        for (filter, ids) in [
            ("Client_ID = 'demo'", vec![1]),
            ("Client_ID='DEMO  '", vec![1]),
            ("client_id = 'o''brien'", vec![2]),
            ("Client_ID = ' demo'", vec![]),
            ("Client_ID <> 'demo'", vec![2]),
            ("Client_ID = 'demo' AND API_Client_ID = 1", vec![1]),
            ("Client_ID = 'demo' AND API_Client_ID = 2", vec![]),
            ("Client_Secret IS NULL", vec![2]),
            ("Client_Secret IS NOT NULL", vec![1]),
            ("Client_Secret = NULL", vec![]),
        ] {
            assert_eq!(matching(filter), Ok(ids), "{filter}");
        }
    }

    #[test]
    fn an_injection_works() {
        assert_eq!(matching("Client_ID = 'x' OR '1'='1'"), Ok(vec![1, 2]));
        assert_eq!(matching("Client_ID = 'demo'--'"), Ok(vec![1]));
        assert_eq!(matching("Client_ID = 'x'' OR ''1''=''1'"), Ok(vec![]));
    }

    #[test]
    fn mistakes_are_told_in_sql_servers_words() {
        for (filter, message) in [
            ("Client_ID eq 'demo'", "Incorrect syntax near 'eq'."),
            ("API_Client_ID gt 1", "Incorrect syntax near 'gt'."),
            ("Client = 'demo'", "Invalid column name 'Client'."),
            ("Client_ID = 'o' brien", "Incorrect syntax near 'brien'."),
            (
                "Client_ID = 'demo",
                "Unclosed quotation mark after the character string.",
            ),
            ("Client_ID = 'a' ; DROP", "Incorrect syntax near ';'."),
            ("", "Incorrect syntax near the end of the filter."),
        ] {
            assert_eq!(matching(filter).unwrap_err(), message, "{filter}");
        }
    }
}
