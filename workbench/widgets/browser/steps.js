// The steps on top of a Workbench. All state is in the model.

const TO_DO = { data: "choose what to train on", model: "", train: "nothing trained yet", compare: "after a training" };

function render({ model, el }) {
  const list = document.createElement("ol");
  const code = document.createElement("button");
  code.type = "button";
  code.className = "wb-steps-code";
  code.textContent = "</> Code";
  code.title = "Everything so far as a script";
  code.onclick = () => { model.set("code", !model.get("code")); model.save_changes(); };
  const nav = document.createElement("nav");
  nav.className = "wb-steps";
  nav.setAttribute("aria-label", "Steps");
  nav.append(list, code);
  el.append(nav);

  const draw = () => {
    const steps = model.get("steps");
    while (list.children.length > steps.length) list.lastChild.remove();
    steps.forEach((step, place) => {
      // Kept, so that a click is not lost while something is told, and the focus stays.
      let item = list.children[place];
      if (!item) {
        item = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        for (const name of ["wb-steps-number", "wb-steps-title", "wb-steps-said"]) {
          const part = document.createElement("span");
          part.className = name;
          button.append(part);
        }
        button.onclick = () => model.send({ open: model.get("steps")[place].name });
        item.append(button);
        list.append(item);
      }
      const [number, title, said] = item.firstChild.children;
      number.textContent = place + 1;
      title.textContent = step.title;
      said.textContent = step.said || TO_DO[step.name] || "";
      said.title = said.textContent;
      item.classList.toggle("wb-done", Boolean(step.said));
      if (step.name === model.get("step")) item.firstChild.setAttribute("aria-current", "step");
      else item.firstChild.removeAttribute("aria-current");
    });
    code.setAttribute("aria-pressed", String(model.get("code")));
  };
  for (const name of ["steps", "step", "code"]) model.on(`change:${name}`, draw);
  draw();
  return () => { for (const name of ["steps", "step", "code"]) model.off(`change:${name}`, draw); };
}

export default { render };
