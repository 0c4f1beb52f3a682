"""The style sheet of the page: light or dark as the reader has it, with a contrast of 4.5 to 1 at least."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --quiet: #57606a; --line: #d0d7de;
  --bad: #a40e26; --good: #116329; --warn: #7d4e00; --link: #0550ae; --tint: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --quiet: #9da7b3; --line: #3d444d;
  --bad: #ff9492; --good: #4ac26b; --warn: #e3b341; --link: #71b7ff; --tint: #161b22; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  max-width: 70rem; padding: 1rem; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.25; margin: 1.5rem 0 .5rem; }
h2 { border-top: 1px solid var(--line); padding-top: 1rem; }
h3 { font-size: 1rem; }
a { color: var(--link); }
:is(a, summary, button, input, select):focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
code, .node { font-family: ui-monospace, monospace; font-size: .875rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th, td { overflow-wrap: normal; }
@media (max-width: 40rem) { th, td { padding-right: .3rem; font-size: .75rem; } }
ul { padding-left: 1.25rem; margin: .25rem 0; }
ul.plain, ul.tree, ul.tree ul { list-style: none; }
ul.plain { padding-left: 0; color: var(--quiet); }
ul.tree { padding-left: 0; }
ul.tree ul { border-left: 1px solid var(--line); margin-left: .4rem; padding-left: .9rem; }
.quiet { color: var(--quiet); }
.verdict { font-weight: 600; }
.good { color: var(--good); }
.bad, .error { color: var(--bad); }
.warning { color: var(--warn); }
.error, .warning { font-weight: 600; }
section { content-visibility: auto; contain-intrinsic-size: auto 20rem; }
#filters label, #search label { margin-right: 1rem; }
.rule li { content-visibility: auto; contain-intrinsic-size: auto 1.5rem; }
[hidden] { display: none; }
input, select, button { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); }
th button { font-weight: inherit; border: 0; padding: 0; cursor: pointer; }
th[aria-sort] button::after { content: " \\2193"; }
th[aria-sort="ascending"] button::after { content: " \\2191"; }
.tree p { margin: .1rem 0 .1rem 1rem; }
figure { display: inline-block; margin: .5rem 1rem; background: var(--tint); padding: .5rem; vertical-align: top; }
figcaption { font-size: .8125rem; color: var(--quiet); max-width: 16rem; }
img { image-rendering: pixelated; display: block; background: #ffffff; }
svg { color: var(--link); display: block; }
"""
