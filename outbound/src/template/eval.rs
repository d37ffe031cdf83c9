//! Renders a template.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::ast::{Arm, Escaper, Node, Operand, Pipe, Range, RangeVariables, Stage, Template};
use super::functions::{Function, NIL, Val, field, is_true, size};
use super::output::Output;
use super::{MAX_DEPTH, MAX_OUTPUT_BYTES, MAX_STEPS, TemplateError};

type Result<T> = std::result::Result<T, TemplateError>;

pub(super) fn run(template: &Template<'_>, data: &Map<String, Value>, out: Output) -> Result<String> {
    // The one copy of the data: everything below borrows from it.
    let root = Value::Object(data.clone());
    let dot = Cow::Borrowed(&root);
    let mut machine = Machine { template, out, slots: vec![dot.clone()], base: 0, steps: 0, depth: 0 };
    machine.nodes(&template.body, &dot)?;
    Ok(machine.out.finish())
}

struct Machine<'a, 't> {
    template: &'a Template<'t>,
    out: Output,
    /// Variables; those of the running template start at `base`.
    slots: Vec<Val<'a>>,
    base: usize,
    steps: usize,
    depth: usize,
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl<'a, 't> Machine<'a, 't> {
    fn step(&mut self, steps: usize) -> Result<()> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS {
            return Err(TemplateError::Limit("rendering the template takes too long"));
        }
        Ok(())
    }

    /// Evaluates nodes; variables they declare are gone afterwards.
    fn nodes(&mut self, nodes: &'a [Node<'t>], dot: &Val<'a>) -> Result<Flow> {
        if self.depth >= MAX_DEPTH {
            return Err(TemplateError::Limit("the template calls itself too deep"));
        }
        self.depth += 1;
        let mark = self.slots.len();
        let mut flow = Flow::On;
        for node in nodes {
            flow = self.node(node, dot)?;
            if flow != Flow::On {
                break;
            }
        }
        self.slots.truncate(mark);
        self.depth -= 1;
        Ok(flow)
    }

    fn node(&mut self, node: &'a Node<'t>, dot: &Val<'a>) -> Result<Flow> {
        self.step(1)?;
        match node {
            Node::Text(text) => self.literal(text)?,
            Node::Print { pipe, escaper } => self.print(pipe, *escaper, dot)?,
            Node::Declare(pipe) => {
                let value = self.pipe(pipe, dot)?;
                self.slots.push(value);
            }
            Node::Assign(slot, pipe) => {
                let value = self.pipe(pipe, dot)?;
                if let Some(variable) = self.slots.get_mut(self.base + slot) {
                    *variable = value;
                }
            }
            Node::If { arms, otherwise } => return self.branch(arms, otherwise, false, dot),
            Node::With { arms, otherwise } => return self.branch(arms, otherwise, true, dot),
            Node::Range(range) => return self.range(range, dot),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Call { name, dot: argument } => self.call(name, argument.as_ref(), dot)?,
        }
        Ok(Flow::On)
    }

    fn literal(&mut self, text: &str) -> Result<()> {
        self.step(text.len() / 64)?;
        self.out.literal(text);
        self.check_size()
    }

    fn print(&mut self, pipe: &'a Pipe<'t>, escaper: Option<Escaper>, dot: &Val<'a>) -> Result<()> {
        let value = self.stages(pipe, dot, escaper.is_some() && self.out.escapes())?;
        self.step(size(&value) / 64)?;
        self.out.value(&value, escaper);
        self.check_size()
    }

    fn check_size(&self) -> Result<()> {
        if self.out.len() > MAX_OUTPUT_BYTES {
            return Err(TemplateError::Limit("the rendered template is larger than 2000000 bytes"));
        }
        Ok(())
    }

    fn branch(&mut self, arms: &'a [Arm<'t>], otherwise: &'a [Node<'t>], with: bool, dot: &Val<'a>) -> Result<Flow> {
        let mark = self.slots.len();
        let mut chosen = None;
        for arm in arms {
            let value = self.pipe(&arm.condition, dot)?;
            let holds = is_true(&value);
            if arm.declares {
                self.slots.push(value.clone());
            }
            if holds {
                chosen = Some((arm, value));
                break;
            }
        }
        let flow = match chosen {
            Some((arm, value)) if with => self.nodes(&arm.body, &value)?,
            Some((arm, _)) => self.nodes(&arm.body, dot)?,
            None => self.nodes(otherwise, dot)?,
        };
        self.slots.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, range: &'a Range<'t>, dot: &Val<'a>) -> Result<Flow> {
        let elements = elements(self.pipe(&range.over, dot)?)?;
        self.step(elements.len() / 64)?;
        if elements.is_empty() {
            return self.nodes(&range.otherwise, dot);
        }
        let mark = self.slots.len();
        for (index, element) in elements {
            self.step(1)?;
            match range.variables {
                RangeVariables::None => {}
                RangeVariables::Element => self.slots.push(element.clone()),
                RangeVariables::IndexAndElement => self.slots.extend([index, element.clone()]),
            }
            let flow = self.nodes(&range.body, &element)?;
            self.slots.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn call(&mut self, name: &str, argument: Option<&'a Pipe<'t>>, dot: &Val<'a>) -> Result<()> {
        let argument = match argument {
            Some(pipe) => self.pipe(pipe, dot)?,
            None => NIL,
        };
        let Some(body) = self.template.defined.get(name) else {
            return Ok(());
        };
        let base = std::mem::replace(&mut self.base, self.slots.len());
        self.slots.push(argument.clone());
        self.nodes(body, &argument)?;
        self.slots.truncate(self.base);
        self.base = base;
        Ok(())
    }

    fn pipe(&mut self, pipe: &'a Pipe<'t>, dot: &Val<'a>) -> Result<Val<'a>> {
        self.stages(pipe, dot, false)
    }

    /// The pipeline's value. With `skip_last` its last function only joins its arguments: its work is the writer's.
    fn stages(&mut self, pipe: &'a Pipe<'t>, dot: &Val<'a>, skip_last: bool) -> Result<Val<'a>> {
        let mut fed: Option<Val<'a>> = None;
        for (n, stage) in pipe.stages.iter().enumerate() {
            let value = match stage {
                Stage::Value(operand) => self.operand(operand, dot)?,
                Stage::Call(_, operands) if skip_last && n + 1 == pipe.stages.len() => {
                    self.function(Function::Print, operands, fed.take(), dot)?
                }
                Stage::Call(function, operands) => self.function(*function, operands, fed.take(), dot)?,
            };
            fed = Some(value);
        }
        Ok(fed.unwrap_or(NIL))
    }

    fn function(
        &mut self,
        function: Function,
        operands: &'a [Operand<'t>],
        fed: Option<Val<'a>>,
        dot: &Val<'a>,
    ) -> Result<Val<'a>> {
        let mut arguments = Vec::with_capacity(operands.len() + 1);
        for operand in operands {
            let value = self.operand(operand, dot)?;
            let decided = match function {
                Function::And => !is_true(&value),
                Function::Or => is_true(&value),
                _ => false,
            };
            if decided {
                return Ok(value);
            }
            arguments.push(value);
        }
        arguments.extend(fed);
        self.step(1 + function.work(&arguments) / 64)?;
        let value = function.call(&arguments, MAX_OUTPUT_BYTES);
        if let Cow::Owned(made) = &value {
            let made = size(made);
            self.step(made / 64)?;
            if made > MAX_OUTPUT_BYTES {
                return Err(TemplateError::Limit("a value of the template is larger than 2000000 bytes"));
            }
        }
        Ok(value)
    }

    fn operand(&mut self, operand: &'a Operand<'t>, dot: &Val<'a>) -> Result<Val<'a>> {
        self.step(1)?;
        let (value, fields) = match operand {
            Operand::Literal(value) => return Ok(Cow::Borrowed(value)),
            Operand::Dot(fields) => (dot.clone(), fields),
            Operand::Variable(slot, fields) => (self.slots.get(self.base + slot).cloned().unwrap_or(NIL), fields),
            Operand::Nested(pipe, fields) => (self.pipe(pipe, dot)?, fields),
        };
        if let Cow::Owned(owned) = &value {
            self.step(size(owned) / 64)?;
        }
        Ok(fields.iter().fold(value, |value, name| field(value, name)))
    }
}

/// What `range` goes through, each with its index or key. Maps go by their keys' order, a number counts up to itself.
fn elements<'a>(over: Val<'a>) -> Result<Vec<(Val<'a>, Val<'a>)>> {
    let number = |n: usize| Cow::Owned(Value::from(n));
    let mut elements: Vec<(Val<'a>, Val<'a>)> = match over {
        Cow::Borrowed(Value::Array(list)) => {
            list.iter().enumerate().map(|(n, element)| (number(n), Cow::Borrowed(element))).collect()
        }
        Cow::Owned(Value::Array(list)) => {
            list.into_iter().enumerate().map(|(n, element)| (number(n), Cow::Owned(element))).collect()
        }
        Cow::Borrowed(Value::Object(map)) => {
            map.iter().map(|(name, member)| (Cow::Owned(Value::from(name.as_str())), Cow::Borrowed(member))).collect()
        }
        Cow::Owned(Value::Object(map)) => {
            map.into_iter().map(|(name, member)| (Cow::Owned(Value::from(name)), Cow::Owned(member))).collect()
        }
        other => {
            let count = other.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
            if count > MAX_STEPS {
                return Err(TemplateError::Limit("rendering the template takes too long"));
            }
            return Ok((0..count).map(|n| (number(n), number(n))).collect());
        }
    };
    elements.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
    Ok(elements)
}
