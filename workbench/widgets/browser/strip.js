// Chips in a row: their order and pictures are the model's, a click or Enter tells the kernel.

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export default {
  render({ model, el }) {
    const title = make("div", { class: "wb-strip-title" });
    const row = make("div", { class: "wb-strip-row", role: "listbox", tabindex: "-1" });
    const root = make("section", { class: "wb-strip" }, title, row);
    const cards = new Map();

    const fill = () => {
      title.textContent = model.get("title");
      row.setAttribute("aria-label", model.get("title"));
      cards.clear();
      row.replaceChildren(...model.get("cards").map(card));
      if (!cards.size) row.replaceChildren(make("div", { class: "wb-strip-none" }, model.get("note")));
      paint();
      mark();
    };
    const card = ({ id, name, value }) => {
      const picture = make("div", { class: "wb-strip-picture" });
      const node = make("button", { type: "button", class: "wb-strip-card", role: "option", title: id },
        picture, make("b", {}, value), make("span", {}, name));
      node.dataset.chip = id;
      node.addEventListener("click", () => model.send({ chip: id }));
      cards.set(id, { node, picture });
      return node;
    };
    const paint = () => {
      const pictures = model.get("pictures");
      for (const [id, { picture }] of cards) {
        if (!pictures[id] || picture.dataset.shown === pictures[id]) continue;
        picture.dataset.shown = pictures[id];
        picture.replaceChildren(make("img", { alt: id, src: pictures[id], draggable: "false" }));
      }
    };
    const mark = () => {
      for (const [id, { node }] of cards) node.setAttribute("aria-selected", String(id === model.get("current")));
    };
    const names = { "change:cards": fill, "change:title": fill, "change:note": fill, "change:pictures": paint, "change:current": mark };
    for (const [name, heard] of Object.entries(names)) model.on(name, heard);
    fill();
    el.append(root);
    return () => { for (const [name, heard] of Object.entries(names)) model.off(name, heard); };
  },
};
