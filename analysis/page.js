(() => {
  "use strict";
  const DOMAIN = "zoom_time", REACH = 16;
  const views = new Map();
  const figures = [...document.querySelectorAll("figure[data-spec]")];
  const times = document.querySelector(".times");
  const all = times && [Number(times.dataset.start), Number(times.dataset.end)];
  let shown = null, queued = 0;

  /* Figures as wide as the page: panels take its width, rows of cells wrap. */
  const wrapped = (row, width) => {
    const columns = Math.max(1, Math.floor((width - 110) / 190));
    if (columns >= row.hconcat.length) return row;
    const { hconcat, ...others } = row;
    const cells = hconcat.map((cell, place) => {
      const labels = place % columns === 0;
      const layer = cell.layer.map(each => each.encoding.y
        ? { ...each, encoding: { ...each.encoding, y: { ...each.encoding.y, axis: { ...each.encoding.y.axis, labels } } } }
        : each);
      return { ...cell, layer };
    });
    return { ...others, concat: cells, columns };
  };
  const panelled = (panel, width) =>
    panel.hconcat ? wrapped(panel, width) : { ...panel, width: Math.max(160, width - 85) };
  const fitted = (spec, width) => {
    const legend = { ...spec.config.legend, columns: width < 520 ? 2 : 6, labelLimit: width < 520 ? width / 2 - 50 : 260 };
    const config = { ...spec.config, legend };
    if (spec.vconcat) return { ...spec, config, vconcat: spec.vconcat.map(panel => panelled(panel, width)) };
    const room = !spec.params && width < 520 ? { padding: { left: 5, top: 5, bottom: 5, right: 70 } } : {};
    return { ...spec, ...room, config, width, autosize: { type: "fit-x", contains: "padding" } };
  };

  /* One span of time for all figures: a change in one is carried to the others before the next frame. */
  const same = (one, other) => one === other || Boolean(one && other && one[0] === other[0] && one[1] === other[1]);
  const plain = domain => domain && [Number(domain[0]), Number(domain[1])];
  const span = domain => domain.map(time => new Date(time).toLocaleString("en-GB", {
    timeZone: "UTC", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
  })).join(" to ");
  const carry = () => {
    queued = 0;
    for (const view of views.values()) {
      if (!same(plain(view.signal(DOMAIN)), shown)) view.signal(DOMAIN, shown).run();
    }
    if (times) times.querySelector("output").textContent = shown ? `${span(shown)} UTC` : "the whole run";
  };
  const show = domain => {
    if (same(domain, shown)) return;
    shown = domain;
    queued = queued || requestAnimationFrame(carry);
  };
  const turn = { earlier: [-0.5, -0.5], later: [0.5, 0.5], closer: [0.25, -0.25], wider: [-0.5, 0.5] };
  const press = name => {
    if (!turn[name]) return show(null);
    const [start, end] = shown || all, width = end - start;
    const next = [Math.max(all[0], start + turn[name][0] * width), Math.min(all[1], end + turn[name][1] * width)];
    if (next[1] > next[0]) show(same(next, all) ? null : next);
  };

  /* A thin line is hard to point at: the nearest one above or below the pointer answers for it. */
  let answering = null;
  const told = element => Boolean(element && element.__data__ && element.__data__.tooltip);
  const point = (kind, element, x, y) =>
    element.dispatchEvent(new PointerEvent(kind, { bubbles: true, clientX: x, clientY: y }));
  const near = event => {
    if (!event.isTrusted || event.buttons > 1) return;
    const { clientX: x, clientY: y } = event;
    if (told(event.target)) { answering = null; return; }
    for (let gap = 1; gap <= REACH; gap += 1) {
      for (const at of [y - gap, y + gap]) {
        const found = document.elementFromPoint(x, at);
        if (told(found) && event.currentTarget.contains(found)) {
          answering = found;
          point("pointermove", found, x, at);
          return;
        }
      }
    }
    leave(event);
  };
  const leave = event => {
    if (answering) point("mouseout", answering, event.clientX, event.clientY);
    answering = null;
  };

  const draw = async figure => {
    const spec = JSON.parse(document.getElementById(figure.dataset.spec).textContent);
    const plot = figure.querySelector(".plot");
    figure.classList.add("live");
    try {
      const { view } = await window.vegaEmbed(plot, fitted(spec, plot.clientWidth), { renderer: "svg", actions: false });
      if (!("timed" in figure.dataset)) return;
      views.set(figure, view);
      if (shown) view.signal(DOMAIN, shown).run();
      view.addSignalListener(DOMAIN, (_, domain) => show(plain(domain)));
    } catch (error) {
      figure.classList.remove("live");
      console.error(error);
    }
  };

  const start = async () => {
    for (const figure of figures) {
      figure.querySelector(".plot").addEventListener("pointermove", near);
      figure.querySelector(".plot").addEventListener("pointerleave", leave);
      await draw(figure);
    }
    document.documentElement.dataset.drawn = figures.length;
  };
  if (times) {
    times.hidden = false;
    times.addEventListener("click", event => {
      const button = event.target.closest("button");
      if (button) press(button.value);
    });
  }
  let width = window.innerWidth, timer;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    clearTimeout(timer);
    timer = setTimeout(() => figures.forEach(draw), 150);
  });
  start();
})();
