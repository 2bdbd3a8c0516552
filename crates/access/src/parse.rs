//! Cedar's language as far as policies here can use it: <https://docs.cedarpolicy.com/policies/syntax-grammar.html>. Records,
//! tags, templates and namespaces mean nothing under the schema, and are refused.
//!
//! What this reads is what Cedar reads of the same text, or it is refused: a test compares both.

use crate::entity::{Entity, EntityType};
use crate::literal::{self, Literal, Network};
use crate::policy::{
    AuthorsWords, Calculation, Comparison, Effect, Expression, Kind, Method, Policy, Scope, Variable,
};
use crate::problem::Reason;
use crate::token::{Token, pattern, tokens, unquoted};
use countersign_core::text::escaped_line;

/// The longest name of a policy, in characters.
const MAX_ID: usize = 64;
/// The most `!` or `-` in a row, as in Cedar.
const MAX_SIGNS: usize = 4;
/// Words that are no names.
const RESERVED: [&str; 9] = ["true", "false", "if", "then", "else", "in", "is", "like", "has"];

/// Why a text cannot be read, and where, in bytes.
pub(crate) type Refused = (usize, Reason);

type Parsed<T> = Result<T, Refused>;

/// The policies of a text.
///
/// # Errors
/// The first thing that cannot be read, and every policy with a name or a reason that it cannot have.
pub(crate) fn policies(text: &str) -> Result<Vec<Policy>, Vec<Refused>> {
    let mut parser = Parser { tokens: tokens(text), next: 0 };
    let (mut policies, mut refused): (Vec<Policy>, Vec<Refused>) = (Vec::new(), Vec::new());
    while parser.peek() != Token::End {
        match parser.policy() {
            Ok(Ok(policy)) => policies.push(policy),
            Ok(Err(unnamed)) => refused.push(unnamed),
            Err(unreadable) => return Err(vec![unreadable]),
        }
    }
    if policies.is_empty() && refused.is_empty() {
        refused.push((0, Reason::NoPolicy));
    }
    if refused.is_empty() { Ok(policies) } else { Err(refused) }
}

struct Parser<'a> {
    tokens: Vec<(usize, Token<'a>)>,
    next: usize,
}

impl<'a> Parser<'a> {
    fn at(&self, ahead: usize) -> (usize, Token<'a>) {
        let last = self.tokens.last().copied().unwrap_or((0, Token::End));
        self.tokens.get(self.next + ahead).copied().unwrap_or(last)
    }

    fn peek(&self) -> Token<'a> {
        self.at(0).1
    }

    fn offset(&self) -> usize {
        self.at(0).0
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn takes(&mut self, sign: &'static str) -> bool {
        let is_next = self.peek() == Token::Sign(sign);
        self.next += usize::from(is_next);
        is_next
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_next = self.peek() == Token::Word(word);
        self.next += usize::from(is_next);
        is_next
    }

    fn unexpected(&self, expected: &str) -> Refused {
        let found = self.peek();
        if found == Token::Sign("?") {
            return (self.offset(), Reason::Template);
        }
        (self.offset(), Reason::Syntax(format!("unexpected {found} (expected {expected})")))
    }

    fn expect(&mut self, sign: &'static str) -> Parsed<()> {
        if self.takes(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.takes_word(word) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    /// A policy, or why it cannot have the name or the reason that it has.
    fn policy(&mut self) -> Parsed<Result<Policy, Refused>> {
        let offset = self.offset();
        let (mut id, mut reason, mut seen) = (None, None, Vec::new());
        while self.takes("@") {
            let begin = self.offset();
            let Token::Word(name) = self.take() else {
                self.next -= 1;
                return Err(self.unexpected("the name of an annotation"));
            };
            if seen.contains(&name) {
                return Err((begin, Reason::Syntax(format!("the annotation `@{name}` is there twice"))));
            }
            seen.push(name);
            let mut value = String::new();
            if self.takes("(") {
                value = self.text()?;
                self.expect(")")?;
            }
            match name {
                "id" => id = Some(value),
                "reason" => reason = Some(value),
                _ => {}
            }
        }
        let effect = match self.peek() {
            Token::Word("permit") => Effect::Permit,
            Token::Word("forbid") => Effect::Forbid,
            _ => return Err(self.unexpected("`permit` or `forbid`")),
        };
        self.next += 1;
        self.expect("(")?;
        self.expect_word("principal")?;
        let principal = self.scope()?;
        self.expect(",")?;
        self.expect_word("action")?;
        let actions = self.actions()?;
        self.expect(",")?;
        self.expect_word("resource")?;
        let resource = self.scope()?;
        self.takes(",");
        self.expect(")")?;
        let mut conditions = Vec::new();
        while !self.takes(";") {
            let begin = self.offset();
            let is_negated = match self.peek() {
                Token::Word("when") => false,
                Token::Word("unless") => true,
                _ => return Err(self.unexpected("`when`, `unless` or `;`")),
            };
            self.next += 1;
            self.expect("{")?;
            let condition = self.expression()?;
            self.expect("}")?;
            conditions.push(if is_negated {
                Expression { offset: begin, kind: Kind::Not(Box::new(condition)) }
            } else {
                condition
            });
        }
        Ok(match (named(id), reason.map(|reason| authors_words(&reason)).transpose()) {
            (_, Err(rule)) => Err((offset, Reason::OddReason(rule))),
            (Err(reason), _) => Err((offset, reason)),
            (Ok(id), Ok(reason)) => {
                Ok(Policy { id, reason, effect, principal, actions, resource, conditions, offset })
            }
        })
    }

    fn scope(&mut self) -> Parsed<Scope> {
        if self.takes("==") {
            return Ok(Scope::Equal(self.entity()?));
        }
        if self.takes_word("in") {
            return Ok(Scope::In(self.entity()?));
        }
        if !self.takes_word("is") {
            return Ok(Scope::Any);
        }
        let entity_type = self.entity_type()?;
        Ok(if self.takes_word("in") {
            Scope::IsIn(entity_type, self.entity()?)
        } else {
            Scope::Is(entity_type)
        })
    }

    fn actions(&mut self) -> Parsed<Option<Vec<Entity>>> {
        if self.takes("==") {
            return Ok(Some(vec![self.entity()?]));
        }
        if !self.takes_word("in") {
            return Ok(None);
        }
        if !self.takes("[") {
            return Ok(Some(vec![self.entity()?]));
        }
        self.separated("]", Self::entity).map(Some)
    }

    /// What commas separate, up to a sign. A comma may stand before it.
    fn separated<T>(
        &mut self,
        end: &'static str,
        mut one: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut elements = Vec::new();
        while !self.takes(end) {
            elements.push(one(self)?);
            if !self.takes(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(elements)
    }

    fn entity_type(&mut self) -> Parsed<EntityType> {
        let offset = self.offset();
        let Token::Word(name) = self.peek() else { return Err(self.unexpected("the type of an entity")) };
        let known = name.parse();
        let known =
            known.map_err(|_| (offset, Reason::Schema(format!("there is no entity type `{name}`"))))?;
        self.next += 1;
        Ok(known)
    }

    fn entity(&mut self) -> Parsed<Entity> {
        let entity_type = self.entity_type()?;
        self.expect("::")?;
        Ok(Entity { entity_type, id: self.text()? })
    }

    fn quoted(&mut self) -> Parsed<(usize, &'a str)> {
        let offset = self.offset();
        match self.peek() {
            Token::Quoted(quoted) => {
                self.next += 1;
                Ok((offset, quoted))
            }
            _ => Err(self.unexpected("a text in quotation marks")),
        }
    }

    fn text(&mut self) -> Parsed<String> {
        let (offset, quoted) = self.quoted()?;
        unquoted(quoted).ok_or_else(|| no_escape(offset))
    }

    fn expression(&mut self) -> Parsed<Expression> {
        let offset = self.offset();
        if !self.takes_word("if") {
            return self.alternatives();
        }
        let condition = self.expression()?;
        self.expect_word("then")?;
        let then = self.expression()?;
        self.expect_word("else")?;
        let otherwise = self.expression()?;
        Ok(Expression { offset, kind: Kind::If(Box::new([condition, then, otherwise])) })
    }

    fn alternatives(&mut self) -> Parsed<Expression> {
        let mut left = self.conjunction()?;
        while self.takes("||") {
            let right = self.conjunction()?;
            left = Expression { offset: left.offset, kind: Kind::Or(Box::new(left), Box::new(right)) };
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Parsed<Expression> {
        let mut left = self.relation()?;
        while self.takes("&&") {
            let right = self.relation()?;
            left = Expression { offset: left.offset, kind: Kind::And(Box::new(left), Box::new(right)) };
        }
        Ok(left)
    }

    fn relation(&mut self) -> Parsed<Expression> {
        let begin = self.offset();
        if self.peek() == Token::Word("context") && self.at(1).1 == Token::Word("has") {
            self.next += 2;
            return self.has(begin);
        }
        let left = Box::new(self.sum()?);
        let offset = left.offset;
        let compared = |operator, left, right| Kind::Compared(operator, left, Box::new(right));
        let operator = match self.peek() {
            Token::Sign("==") => Some(Comparison::Equal),
            Token::Sign("!=") => Some(Comparison::Unequal),
            Token::Sign("<") => Some(Comparison::Less),
            Token::Sign("<=") => Some(Comparison::LessOrEqual),
            Token::Sign(">") => Some(Comparison::Greater),
            Token::Sign(">=") => Some(Comparison::GreaterOrEqual),
            _ => None,
        };
        let kind = if let Some(operator) = operator {
            self.next += 1;
            compared(operator, left, self.sum()?)
        } else if self.takes_word("in") {
            Kind::In(left, Box::new(self.sum()?))
        } else if self.takes_word("like") {
            let (offset, quoted) = self.quoted()?;
            Kind::Like(left, pattern(quoted).ok_or_else(|| no_escape(offset))?)
        } else if self.takes_word("is") {
            let entity_type = self.entity_type()?;
            if self.takes_word("in") {
                let is = Expression { offset, kind: Kind::Is(left.clone(), entity_type) };
                let within = Expression { offset, kind: Kind::In(left, Box::new(self.sum()?)) };
                Kind::And(Box::new(is), Box::new(within))
            } else {
                Kind::Is(left, entity_type)
            }
        } else if self.peek() == Token::Word("has") {
            let rule = "only the context has attributes: write `context has …`";
            return Err((self.offset(), Reason::Schema(rule.to_owned())));
        } else {
            return Ok(*left);
        };
        Ok(Expression { offset, kind })
    }

    /// After `context has`.
    fn has(&mut self, begin: usize) -> Parsed<Expression> {
        let (offset, name) = self.attribute_name()?;
        if self.peek() == Token::Sign(".") {
            let rule = format!("`context.{name}` has no attributes");
            return Err((offset, Reason::Schema(rule)));
        }
        Ok(Expression { offset: begin, kind: Kind::Has(attribute(offset, &name)?) })
    }

    fn attribute_name(&mut self) -> Parsed<(usize, String)> {
        let offset = self.offset();
        match self.peek() {
            Token::Word(word) if !RESERVED.contains(&word) => {
                self.next += 1;
                Ok((offset, word.to_owned()))
            }
            Token::Quoted(_) => Ok((offset, self.text()?)),
            _ => Err(self.unexpected("the name of an attribute")),
        }
    }

    fn sum(&mut self) -> Parsed<Expression> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Token::Sign("+") => Calculation::Add,
                Token::Sign("-") => Calculation::Subtract,
                _ => return Ok(left),
            };
            self.next += 1;
            left = calculated(operator, left, self.product()?);
        }
    }

    fn product(&mut self) -> Parsed<Expression> {
        let mut left = self.signed()?;
        while self.takes("*") {
            left = calculated(Calculation::Multiply, left, self.signed()?);
        }
        Ok(left)
    }

    fn signed(&mut self) -> Parsed<Expression> {
        let offset = self.offset();
        let sign = match self.peek() {
            Token::Sign(sign @ ("!" | "-")) => sign,
            _ => return self.member(),
        };
        let mut signs = 0;
        while self.takes(sign) {
            signs += 1;
        }
        if signs > MAX_SIGNS {
            return Err((
                offset,
                Reason::Syntax(format!("there are more than {MAX_SIGNS} `{sign}` in a row")),
            ));
        }
        // The smallest number has no positive one.
        let digits = match (sign, self.peek()) {
            ("-", Token::Number(digits)) => Some(digits),
            _ => None,
        };
        let mut operand = match digits {
            Some(digits) => {
                let begin = self.offset();
                self.next += 1;
                signs -= 1;
                let number =
                    Expression { offset, kind: Kind::Literal(Literal::Long(long(begin, "-", digits)?)) };
                self.accesses(number)?
            }
            None => self.member()?,
        };
        for _ in 0..signs {
            let boxed = Box::new(operand);
            let kind = if sign == "!" { Kind::Not(boxed) } else { Kind::Negative(boxed) };
            operand = Expression { offset, kind };
        }
        Ok(operand)
    }

    fn member(&mut self) -> Parsed<Expression> {
        let is_context = self.peek() == Token::Word("context");
        let is_in_parentheses = self.peek() == Token::Sign("(")
            && self.at(1).1 == Token::Word("context")
            && self.at(2).1 == Token::Sign(")");
        let value = if is_context || is_in_parentheses {
            self.next += if is_context { 1 } else { 3 };
            self.context()?
        } else {
            self.primary()?
        };
        self.accesses(value)
    }

    /// After `context`, which is nothing by itself: an attribute of it.
    fn context(&mut self) -> Parsed<Expression> {
        let (offset, name) = if self.takes(".") {
            let offset = self.offset();
            match self.take() {
                Token::Word(name) => (offset, name.to_owned()),
                _ => {
                    self.next -= 1;
                    return Err(self.unexpected("the name of an attribute"));
                }
            }
        } else if self.takes("[") {
            let offset = self.offset();
            let name = self.text()?;
            self.expect("]")?;
            (offset, name)
        } else {
            let rule =
                "the context is not a value by itself: ask for one of its attributes, as in `context.own`";
            return Err((self.offset(), Reason::Schema(rule.to_owned())));
        };
        Ok(Expression { offset, kind: Kind::Attribute(attribute(offset, &name)?) })
    }

    /// What is called on a value.
    fn accesses(&mut self, mut value: Expression) -> Parsed<Expression> {
        loop {
            if self.peek() == Token::Sign("[") {
                let rule = "only the context has attributes";
                return Err((self.offset(), Reason::Schema(rule.to_owned())));
            }
            if !self.takes(".") {
                return Ok(value);
            }
            let offset = self.offset();
            let Token::Word(name) = self.peek() else { return Err(self.unexpected("the name of a method")) };
            self.next += 1;
            let method = name.parse::<Method>();
            let method =
                method.map_err(|_| (offset, Reason::Schema(format!("there is no method `{name}`"))))?;
            self.expect("(")?;
            let mut arguments = self.separated(")", Self::expression)?;
            let expected = usize::from(method.takes_argument());
            if arguments.len() != expected {
                let rule = format!("`{name}` takes {expected} arguments, and not {}", arguments.len());
                return Err((offset, Reason::Schema(rule)));
            }
            let argument = arguments.pop().map(Box::new);
            value =
                Expression { offset: value.offset, kind: Kind::Method(method, Box::new(value), argument) };
        }
    }

    fn primary(&mut self) -> Parsed<Expression> {
        let offset = self.offset();
        let literal = |literal| Ok(Expression { offset, kind: Kind::Literal(literal) });
        let variable = |variable| Ok(Expression { offset, kind: Kind::Variable(variable) });
        match self.peek() {
            Token::Number(digits) => {
                self.next += 1;
                literal(Literal::Long(long(offset, "", digits)?))
            }
            Token::Quoted(_) => literal(Literal::Text(self.text()?)),
            Token::Sign("(") => {
                self.next += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => {
                self.next += 1;
                let elements = self.separated("]", Self::expression)?;
                Ok(Expression { offset, kind: Kind::Set(elements) })
            }
            Token::Sign("{") => Err((offset, Reason::Schema("records mean nothing here".to_owned()))),
            Token::Word(word) => {
                self.next += 1;
                match word {
                    "true" => literal(Literal::Bool(true)),
                    "false" => literal(Literal::Bool(false)),
                    "principal" => variable(Variable::Principal),
                    "action" => variable(Variable::Action),
                    "resource" => variable(Variable::Resource),
                    "decimal" | "ip" | "datetime" | "duration" if self.peek() == Token::Sign("(") => {
                        literal(self.extension(word)?)
                    }
                    _ => {
                        self.next -= 1;
                        if self.at(1).1 != Token::Sign("::") {
                            return Err(self.unexpected("a value"));
                        }
                        literal(Literal::Entity(self.entity()?))
                    }
                }
            }
            Token::Sign(_) | Token::Other(_) | Token::End => Err(self.unexpected("a value")),
        }
    }

    /// After the name of a function that makes a value of a text.
    fn extension(&mut self, function: &str) -> Parsed<Literal> {
        self.expect("(")?;
        let offset = self.offset();
        let text = self.text()?;
        self.takes(",");
        self.expect(")")?;
        let value = match function {
            "decimal" => literal::decimal(&text).map(Literal::Decimal),
            "ip" => Network::parse(&text).map(Literal::Network),
            "datetime" => literal::time(&text).map(Literal::Time),
            _ => literal::duration(&text).map(Literal::Duration),
        };
        value.ok_or_else(|| {
            let rule = format!("`{}` is no {function}", text.escape_debug());
            (offset, Reason::Schema(rule))
        })
    }
}

fn calculated(operator: Calculation, left: Expression, right: Expression) -> Expression {
    let offset = left.offset;
    Expression { offset, kind: Kind::Calculated(operator, Box::new(left), Box::new(right)) }
}

fn attribute(offset: usize, name: &str) -> Parsed<crate::attribute::Attribute> {
    let unknown =
        || (offset, Reason::Schema(format!("the context has no attribute `{}`", name.escape_debug())));
    name.parse().map_err(|_| unknown())
}

fn long(offset: usize, sign: &str, digits: &str) -> Parsed<i64> {
    format!("{sign}{digits}")
        .parse()
        .map_err(|_| (offset, Reason::Syntax(format!("the number {sign}{digits} is too large"))))
}

fn no_escape(offset: usize) -> Refused {
    (offset, Reason::Syntax("this text has an escape that means nothing".to_owned()))
}

fn named(id: Option<String>) -> Result<String, Reason> {
    match id {
        None => Err(Reason::NoId),
        Some(id) if !is_policy_id(&id) => Err(Reason::OddId(id)),
        Some(id) => Ok(id),
    }
}

fn is_policy_id(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(is_allowed)
}

/// Words that look on a screen as they do in the file.
fn authors_words(text: &str) -> Result<AuthorsWords, String> {
    if escaped_line(text) != text {
        return Err("must be one line without control, format or bidirectional characters".to_owned());
    }
    AuthorsWords::parse(text).map_err(|error| error.to_string())
}
