// Maps in the same box are told when their size changes; leaflet asks only when the window's does.
export default {
  render({ el }) {
    const sizes = new WeakMap();
    let timer;
    const watching = new ResizeObserver((entries) => {
      for (const { target, contentRect } of entries) {
        const size = `${Math.round(contentRect.width)}×${Math.round(contentRect.height)}`;
        const before = sizes.get(target);
        sizes.set(target, size);
        if (before === undefined || before === size) continue;
        clearTimeout(timer);
        timer = setTimeout(() => window.dispatchEvent(new Event("resize")), 30);
      }
    });
    const look = () => el.parentElement?.querySelectorAll(".leaflet-container").forEach((map) => watching.observe(map));
    const coming = new MutationObserver(look);
    requestAnimationFrame(() => {
      if (el.parentElement) coming.observe(el.parentElement, { childList: true, subtree: true });
      look();
    });
    el.style.display = "none";
    return () => { watching.disconnect(); coming.disconnect(); clearTimeout(timer); };
  },
};
