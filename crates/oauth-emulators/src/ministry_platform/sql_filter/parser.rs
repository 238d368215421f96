//! Reads a condition: OR binds less than AND, AND less than NOT.

use std::cmp::Ordering;

use super::{
    Condition,
    expression::{Expression, Operand},
    token::Token,
};
use crate::ministry_platform::tables::column;

pub(super) struct Parser<'c> {
    tokens: Vec<Token>,
    next: usize,
    columns: &'c [&'c str],
    /// How much deeper conditions may nest: each level is one of our own stack.
    deeper: u32,
}

impl<'c> Parser<'c> {
    pub(super) fn new(filter: &str, columns: &'c [&'c str]) -> Result<Self, String> {
        Ok(Self {
            tokens: Token::all(filter)?,
            next: 0,
            columns,
            deeper: 100,
        })
    }

    pub(super) fn whole(mut self) -> Result<Condition, String> {
        let condition = self.any()?;
        match self.take() {
            None => Ok(condition),
            token => Err(Token::unexpected(token.as_ref())),
        }
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut any = vec![self.all()?];
        while self.word("OR") {
            any.push(self.all()?);
        }
        Ok(Condition::Any(any))
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut all = vec![self.one()?];
        while self.word("AND") {
            all.push(self.one()?);
        }
        Ok(Condition::All(all))
    }

    fn one(&mut self) -> Result<Condition, String> {
        self.deeper = self
            .deeper
            .checked_sub(1)
            .ok_or("Some part of your SQL statement is nested too deeply.")?;
        let condition = if self.word("NOT") {
            Condition::Not(Box::new(self.one()?))
        } else if self.sign("(") {
            let inner = self.any()?;
            self.expect(")")?;
            inner
        } else {
            self.predicate()?
        };
        self.deeper += 1;
        Ok(condition)
    }

    fn predicate(&mut self) -> Result<Condition, String> {
        let left = self.expression()?;
        if self.word("IS") {
            let negated = self.word("NOT");
            if self.word("NULL") {
                return Ok(not_if(negated, Condition::IsNull(left)));
            }
            return Err(self.unexpected());
        }
        let negated = self.word("NOT");
        if self.word("LIKE") {
            let pattern = self.expression()?;
            let escape = if self.word("ESCAPE") {
                Some(self.character()?)
            } else {
                None
            };
            return Ok(not_if(negated, Condition::Like(left, pattern, escape)));
        }
        if self.word("IN") {
            return Ok(not_if(negated, self.one_of(&left)?));
        }
        let fits: fn(Ordering) -> bool = match self.take() {
            Some(Token::Sign("=")) if !negated => Ordering::is_eq,
            Some(Token::Sign("<>" | "!=")) if !negated => Ordering::is_ne,
            Some(Token::Sign("<")) if !negated => Ordering::is_lt,
            Some(Token::Sign("<=")) if !negated => Ordering::is_le,
            Some(Token::Sign(">")) if !negated => Ordering::is_gt,
            Some(Token::Sign(">=")) if !negated => Ordering::is_ge,
            token => return Err(Token::unexpected(token.as_ref())),
        };
        Ok(Condition::Compare(left, fits, self.expression()?))
    }

    fn one_of(&mut self, left: &Expression) -> Result<Condition, String> {
        self.expect("(")?;
        let mut any = Vec::new();
        loop {
            let right = self.expression()?;
            any.push(Condition::Compare(left.clone(), Ordering::is_eq, right));
            if !self.sign(",") {
                self.expect(")")?;
                return Ok(Condition::Any(any));
            }
        }
    }

    fn expression(&mut self) -> Result<Expression, String> {
        let mut sum = vec![self.operand()?];
        while self.sign("+") {
            sum.push(self.operand()?);
        }
        Ok(Expression(sum))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        let negative = self.sign("-");
        match self.take() {
            Some(Token::Word(word)) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                let number: f64 = word
                    .parse()
                    .map_err(|_| Token::unexpected(Some(&Token::Word(word))))?;
                Ok(Operand::Number(if negative { -number } else { number }))
            }
            Some(Token::Text(text)) if !negative => Ok(Operand::Text(text)),
            Some(word) if !negative && word.is_word("NULL") => Ok(Operand::Null),
            Some(Token::Word(word)) if !negative => {
                Ok(Operand::Column(column(&word, self.columns)?.to_owned()))
            }
            token => Err(Token::unexpected(token.as_ref())),
        }
    }

    fn character(&mut self) -> Result<char, String> {
        let token = self.take();
        if let Some(Token::Text(text)) = &token
            && let Ok(character) = text.to_lowercase().parse()
        {
            return Ok(character);
        }
        Err(Token::unexpected(token.as_ref()))
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn unexpected(&self) -> String {
        Token::unexpected(self.tokens.get(self.next))
    }

    fn word(&mut self, word: &str) -> bool {
        self.skip_if(|token| token.is_word(word))
    }

    fn sign(&mut self, sign: &str) -> bool {
        self.skip_if(|token| matches!(token, Token::Sign(have) if *have == sign))
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn skip_if(&mut self, wanted: impl Fn(&Token) -> bool) -> bool {
        let fits = self.tokens.get(self.next).is_some_and(wanted);
        self.next += usize::from(fits);
        fits
    }
}

fn not_if(negated: bool, condition: Condition) -> Condition {
    if negated {
        Condition::Not(Box::new(condition))
    } else {
        condition
    }
}
