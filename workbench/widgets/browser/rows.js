// The runs of a Workbench: a row each, ticked to be watched and compared. All state is in the model.

const COLUMNS = [["name", "run"], ["state", "state"], ["epochs", "epochs"], ["test", "in region"], ["held_out", "held out"]];

function cell(kind, text, title) {
  const node = document.createElement(kind);
  if (text !== undefined) node.textContent = text;
  if (title) node.title = title;
  return node;
}

function render({ model, el }) {
  const table = document.createElement("table");
  table.className = "wb-rows";
  const head = document.createElement("thead");
  head.append(document.createElement("tr"));
  head.firstChild.append(...COLUMNS.map(([, label]) => cell("th", label)));
  const body = document.createElement("tbody");
  table.append(head, body);
  const empty = document.createElement("div");
  empty.className = "wb-rows-empty";
  empty.textContent = "No runs yet.";
  el.append(table, empty);

  const tick = (name, on) => {
    const before = model.get("chosen").filter((other) => other !== name);
    const chosen = on ? [...before, name] : before;
    model.set("chosen", chosen);
    model.send({ chosen });
  };
  const line = (row, lead) => {
    const node = document.createElement("tr");
    const name = cell("td");
    const label = cell("label", undefined, row.name);
    label.append(lead, cell("span", row.name));
    name.append(label);
    const state = cell("td", undefined, row.said);
    const chip = cell("span", row.state);
    chip.className = "wb-row-state";
    chip.dataset.state = row.state;
    state.append(chip);
    node.append(name, state, ...COLUMNS.slice(2).map(([key]) => cell("td", row[key] ?? "")));
    return node;
  };
  const draw = () => {
    const chosen = model.get("chosen");
    const focused = document.activeElement?.dataset?.run;
    const rows = model.get("rows").map((row) => {
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = chosen.includes(row.name);
      box.dataset.run = row.name;
      box.onchange = () => tick(row.name, box.checked);
      return line(row, box);
    });
    const waiting = model.get("waiting").flatMap((row) => {
      const drop = document.createElement("button");
      drop.type = "button";
      drop.textContent = "×";
      drop.title = row.state === "waiting" ? "Do not train it" : "Take it off the list";
      drop.onclick = () => model.send({ drop: row.key });
      const node = line(row, drop);
      if (row.state === "waiting") return [node];
      const said = cell("td", row.said);
      said.colSpan = COLUMNS.length;
      said.className = "wb-row-problem";
      const more = document.createElement("tr");
      more.append(said);
      return [node, more];
    });
    body.replaceChildren(...rows, ...waiting);
    const none = rows.length + waiting.length === 0;
    table.hidden = none;
    empty.hidden = !none;
    if (focused) [...body.querySelectorAll("input")].find((box) => box.dataset.run === focused)?.focus();
  };
  const watched = ["rows", "waiting", "chosen"];
  for (const name of watched) model.on(`change:${name}`, draw);
  draw();
  return () => { for (const name of watched) model.off(`change:${name}`, draw); };
}

export default { render };
