//! What is wrong with a configuration, and how it is shown: as rustc does it.
//!
//! Owns: the messages of one run, and their form on a terminal.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::source::{Sources, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot run.
    Error,
    /// It can, but hardly as it was meant.
    Warning,
    /// It is accepted and means nothing here.
    Note,
}

/// One message with its place.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What stands at the caret; may be empty.
    pub label: String,
    /// Other places that explain it.
    pub related: Vec<(Span, String)>,
    /// What would help, a line each.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, span, message)
    }

    /// A warning.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, span, message)
    }

    /// A note.
    pub fn note(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, span, message)
    }

    fn new(severity: Severity, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity,
            message: message.into(),
            span,
            label: String::new(),
            related: Vec::new(),
            help: Vec::new(),
        }
    }

    /// With words at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With a line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// With the question whether another name was meant, if there is one.
    #[must_use]
    pub fn meant(self, nearest: Option<&str>) -> Self {
        match nearest {
            Some(nearest) => self.help(format!("did you mean {nearest}?")),
            None => self,
        }
    }

    /// With another place.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }
}

/// All messages of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// All, in the order of the text, each once.
    #[must_use]
    pub fn finish(mut self) -> Self {
        self.diagnostics
            .sort_by_key(|one| (one.span.file, one.span.start, one.severity));
        self.diagnostics
            .dedup_by(|a, b| a.span == b.span && a.message == b.message);
        self
    }

    /// All messages.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter()
    }

    /// How many there are of a kind.
    pub fn count(&self, severity: Severity) -> usize {
        let is_such = |one: &&Diagnostic| one.severity == severity;
        self.diagnostics.iter().filter(is_such).count()
    }

    /// Leaves only what is worse than `severity`.
    pub fn retain_worse_than(&mut self, severity: Severity) {
        self.diagnostics.retain(|one| one.severity < severity);
    }

    /// Whether the configuration cannot run.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// All messages for reading, with the lines that they speak of.
    pub fn render(&self, sources: &Sources, is_colored: bool) -> String {
        let renderer = if is_colored {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut out = String::new();
        for diagnostic in &self.diagnostics {
            // Notes are many, and nobody has to do anything about them: one line is enough.
            let is_short = diagnostic.severity == Severity::Note;
            let renderer = renderer.clone().short_message(is_short);
            out.push_str(&renderer.render(&groups(diagnostic, sources)));
            out.push_str(if is_short { "\n" } else { "\n\n" });
        }
        out
    }
}

fn groups<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let primary = AnnotationKind::Primary.span(range(sources, diagnostic.span));
    let primary = if diagnostic.label.is_empty() {
        primary
    } else {
        primary.label(diagnostic.label.as_str())
    };
    let mut snippet = snippet(sources, diagnostic.span).annotation(primary);
    let (near, far): (Vec<_>, Vec<_>) = diagnostic
        .related
        .iter()
        .partition(|(span, _)| span.file == diagnostic.span.file);
    for (span, label) in near {
        let context = AnnotationKind::Context.span(range(sources, *span));
        snippet = snippet.annotation(context.label(label.as_str()));
    }
    let title = level.primary_title(diagnostic.message.as_str());
    let mut first = title.element(snippet);
    for help in &diagnostic.help {
        first = first.element(Level::HELP.message(help.as_str()));
    }
    let mut groups = vec![first];
    for (span, label) in far {
        let there = AnnotationKind::Primary.span(range(sources, *span));
        let title = Level::NOTE.secondary_title(label.as_str());
        groups.push(title.element(self::snippet(sources, *span).annotation(there)));
    }
    groups
}

fn snippet(sources: &Sources, span: Span) -> Snippet<'_, Annotation<'_>> {
    let source = sources.get(span.file);
    Snippet::source(source.text.as_str()).path(source.name.as_str())
}

/// The span, shrunk to what the text has.
fn range(sources: &Sources, span: Span) -> std::ops::Range<usize> {
    let text = &sources.get(span.file).text;
    let on_boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = on_boundary(span.start as usize);
    start..on_boundary(span.end as usize).max(start)
}
