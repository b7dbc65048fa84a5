// The page's initial state.
sortBy(find("results"), 1, -1);
drawCurves();
chooseModel(Number(find("model").value));
comparePair();
Promise.all(Object.values(views)).then(() => document.documentElement.classList.add("drawn"));
