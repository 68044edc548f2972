"""How forms look: labels above fields, quiet help, messages that stand out in both themes.

The options scroll by themselves, so that what they change stays in sight. A label that a heading
says already is there for screen readers only.
"""

from __future__ import annotations

STYLE = """<style>
.wb-form { gap: 24px; align-items: flex-start; color: var(--jp-ui-font-color1, inherit); }
.wb-form .widget-inline-hbox, .wb-form .widget-select {
  flex-direction: column; align-items: stretch; height: auto; }
.wb-form .wb-field .widget-label { width: auto; text-align: left; font-weight: 600;
  height: 22px; line-height: 22px; }
.wb-form .wb-field { margin: 0 0 10px; overflow: visible; }
.wb-form .wb-options { max-height: 640px; overflow-y: auto; padding: 0 10px 8px 0;
  border-bottom: 1px solid var(--jp-border-color2, #8884); margin-bottom: 6px; }
.wb-form .wb-options > * { flex: 0 0 auto; }
.wb-form .wb-titled > .widget-label { position: absolute; width: 1px; height: 1px;
  overflow: hidden; clip-path: inset(50%); }
.wb-form .wb-field .jupyter-widgets { margin: 0; min-width: 0; }
.wb-form .wb-field input, .wb-form .wb-field select {
  width: 100%; margin: 0; flex: 0 0 auto; box-sizing: border-box; height: 28px; }
.wb-form .wb-field select:not([size]) { background-image: none; appearance: auto; }
[data-jp-theme-light="false"] .wb-form .wb-field select { color-scheme: dark; }
.wb-form .wb-field select[size] { height: 122px; padding: 2px; margin-top: 8px; }
.wb-form .wb-field select option { padding: 1px 4px; }
.wb-form .wb-field .widget-checkbox { flex-direction: row; }
.wb-form .wb-field .widget-checkbox input { width: 15px; height: 15px; margin-right: 6px; }
.wb-form .wb-field .widget-html-content { line-height: 1.35; }
.wb-form .widget-html { margin: 0; height: auto; min-height: 0; }
.wb-form .wb-inner { border-left: 2px solid var(--jp-border-color2, #8884); padding-left: 10px;
  margin: 6px 0 0 2px; overflow: visible; }
.wb-form .wb-help { font-size: 11.5px; opacity: .75; line-height: 1.35; margin-top: 3px; }
.wb-form .wb-problem { font-size: 12px; line-height: 1.35; margin-top: 4px; padding: 1px 0 1px 8px;
  border-left: 3px solid var(--jp-error-color1, #d32f2f);
  color: var(--jp-error-color1, #d32f2f); }
.wb-form .wb-heading { font-size: 14px; font-weight: 600; line-height: 1.3; margin: 8px 0 2px;
  padding-bottom: 3px; border-bottom: 1px solid var(--jp-border-color2, #8884); }
.wb-form .wb-misfits { font-size: 11.5px; opacity: .6; line-height: 1.35; margin-bottom: 6px; }
.wb-form .wb-misfits ul { margin: 2px 0 0 16px; padding: 0; }
.wb-form .wb-busy { font-size: 12px; opacity: .75; }
.wb-form .wb-code { font-family: var(--jp-code-font-family, monospace); font-size: 12.5px;
  line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere; margin: 4px 0 8px;
  padding: 6px 8px; border: 1px solid var(--jp-border-color2, #8884); user-select: all; }
.wb-costs { display: flex; flex-wrap: wrap; gap: 6px; margin: 2px 0 4px; max-width: 600px; }
.wb-costs.wb-stale { opacity: .45; }
.wb-cost { flex: 1 1 118px; box-sizing: border-box; padding: 5px 8px 6px; line-height: 1.3;
  border: 1px solid var(--jp-border-color2, #8884); border-radius: 3px; min-width: 0; }
.wb-cost span { display: block; font-size: 11px; opacity: .75; }
.wb-cost b { display: block; font-size: 16px; font-weight: 600; }
.wb-cost small { display: block; font-size: 11px; opacity: .75; }
.wb-costs-said { font-size: 11.5px; opacity: .75; line-height: 1.35; margin: 0 0 8px; }
</style>"""
