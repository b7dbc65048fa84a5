// Two models against each other.
const TILES = 18;

function probability(value) {
  if (value >= 0.001) return `p = ${value.toFixed(3)}`;
  if (value === 0) return "p < 10⁻³⁰⁰";
  const [digits, exponent] = value.toExponential(1).split("e");
  const raised = [...exponent].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("");
  return `p = ${digits} × 10${raised}`;
}

function onlyWrong(model, other) {
  const shared = new Set(other.mistakes);
  return [...model.mistakes.keys()].filter((mistake) => !shared.has(model.mistakes[mistake]));
}

// The outcome of one seed each by images, of more by means over the seeds.
function outcome(one, other, test) {
  if (one.seeds === 1 && other.seeds === 1) {
    const [onlyOne, onlyOther] = [onlyWrong(other, one).length, onlyWrong(one, other).length];
    return (
      `${one.name} gets ${count(onlyOne, "test image")} right that ${other.name} gets wrong, ` +
      `and ${other.name} ${onlyOther.toLocaleString("en")} that ${one.name} gets wrong. McNemar’s exact test`
    );
  }
  const points = (share) => (100 * Math.abs(share)).toFixed(2);
  const side = test.difference < 0 ? "less" : "more";
  return (
    `On average over ${count(one.seeds, "seed")}, ${one.name} gets ${points(test.difference)} points ${side} of the test ` +
    `images right than ${other.name} over ${count(other.seeds, "seed")}; the standard error is ` +
    `${points(test.standardError)}. A t-test over seeds and images`
  );
}

function verdict(one, other, test) {
  if (one === other) return `Both are ${one.name}: choose two models.`;
  const winner = test.difference > 0 ? one : other;
  const clear = test.toldApart ? `${winner.name} is better beyond chance` : "the two cannot be told apart";
  const left = [one, other].filter((model) => model.seeds === 1).map((model) => model.name);
  const chance = left.length ? ` The chance of training ${left.join(" and ")} is left out, for want of a second seed.` : "";
  return (
    `${outcome(one, other, test)}: ${probability(test.pValue)}, and ${probability(test.corrected)} corrected for ` +
    `${count(page.comparisons.length, "pair")}: ${clear} at the 5 % level.${chance}`
  );
}

function testOf(first, second) {
  const turned = first > second;
  const [low, high] = turned ? [second, first] : [first, second];
  const found = page.comparisons.find((pair) => pair.first === low && pair.second === high);
  return found && { ...found, difference: turned ? -found.difference : found.difference };
}

function listOnly(id, winner, loser) {
  const mistakes = onlyWrong(loser, winner);
  const list = find(id);
  find(`${id}-title`).textContent = `Only ${winner.name} is right: ${count(mistakes.length, "image")}`;
  showInSteps(list, list.nextElementSibling, mistakes, (mistake) => tile(loser, mistake), TILES);
}

function comparePair() {
  const [first, second] = [Number(find("first").value), Number(find("second").value)];
  const [one, other] = [page.models[first], page.models[second]];
  find("verdict").textContent = verdict(one, other, testOf(first, second));
  const rows = one.perClass.map((scores, place) => ({
    class: scores.class,
    difference: 100 * (scores.recall - other.perClass[place].recall),
  }));
  fill("differences", "differences", rows);
  listOnly("only-first", one, other);
  listOnly("only-second", other, one);
}

for (const id of ["first", "second"]) find(id).addEventListener("change", comparePair);
