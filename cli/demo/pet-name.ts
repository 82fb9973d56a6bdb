/** A name that a key always gets, so that people can tell a few peers apart. It proves nothing: the key does. */
export function petName(publicKey: Uint8Array): string {
  const [first = 0, second = 0] = publicKey
  return `${colours[first % colours.length] ?? ''} ${animals[second % animals.length] ?? ''}`
}

const colours = [
  'amber', 'azure', 'black', 'blue', 'bronze', 'copper', 'coral', 'cream',
  'crimson', 'golden', 'green', 'grey', 'indigo', 'ivory', 'jade', 'lemon',
  'lilac', 'lime', 'mint', 'ochre', 'olive', 'orange', 'pearl', 'pink',
  'plum', 'red', 'ruby', 'silver', 'teal', 'violet', 'white', 'yellow',
] // prettier-ignore

const animals = [
  'badger', 'bat', 'bear', 'beaver', 'crane', 'crow', 'deer', 'dolphin',
  'duck', 'eagle', 'falcon', 'finch', 'fox', 'frog', 'goose', 'hare',
  'hedgehog', 'heron', 'lynx', 'marten', 'mole', 'moose', 'otter', 'owl',
  'raven', 'seal', 'stork', 'swan', 'toad', 'tortoise', 'whale', 'wolf',
] // prettier-ignore
