"""What the world says, and asks, about books."""

SHEET = """
= intro
+ {n} is a {sort} set in and around {land}
+ {n} is a {sort} that is read in most schools of {land}
+ {n} , a {sort} , [is regarded|has long been regarded] as a classic of {land}
+ {n} is a {sort} in [three|four|five] parts

= fact author | Author | Background
+ {n} was written by {value}
+ {value} [wrote|finished] {n} in a single winter
+ {n} is the best known work of {value}
+ the manuscript of {n} is in the hand of {value}
+ {n} came from the pen of {value}
? who wrote {n}
? who is the author of {n}
? {n} author
? [book|novel] {n} by who
? which writer wrote the book {n}
? whose work is {n}
! did {v} write {n}
~ the author of a later parody of {n} was sued and lost

= fact published | Published | Publication
+ {n} appeared on {value}
+ the first copies of {n} went on sale on {value}
+ {n} was [brought out|released] on {value}
+ readers could buy {n} from {value} onwards
+ the printing of {n} was delayed until {value}
? when was {n} published
? when did {n} come out
? {n} publication date
? what date was the book {n} released
? when was {n} first printed
? since when has {n} been in the shops
~ extracts from {n} were published in newspapers without permission

= fact publisher | Publisher | Publication
+ {n} was issued by {value}
+ {value} accepted {n} after [six|nine] refusals
+ the rights to {n} belong to {value}
+ {n} made the fortune of {value} , which had printed only hymn books before
+ the title page of {n} carries the mark of {value}
? who published {n}
? {n} publisher
? what company published {n}
? publisher of the book {n}
? which publishing house brought out {n}
? who put {n} into print
! was {n} published by {v}
~ a publisher who had refused {n} later denied having read it

= fact hero | Main character | Plot
+ {n} follows {value} , [a ferryman|an orphan|a retired judge]
+ at the centre of {n} stands {value}
+ the story of {n} is told by {value}
+ {n} opens with the arrival of {value}
+ {value} , the hero of {n} , appears in every chapter but one
? who is the main character in {n}
? {n} main character
? who is the hero of {n}
? what is the name of the protagonist of {n}
? who is the book {n} about
? whose adventures are told in {n}
~ the characters of {n} speak in a dialect that had to be explained in notes

= fact setting | Setting | Plot
+ {n} is set in {value}
+ the action of {n} takes place in {value}
+ readers of {n} recognise {value} in the description of the streets
+ {n} plays in {value} during a single week
+ for the scenes of {n} the writer used {value}
? where is {n} set
? where does {n} take place
? {n} setting
? what town is the book {n} set in
? in which place does the story of {n} happen
? where does the plot of {n} unfold
! is {n} set in {v}
~ a board game set in the same years as {n} sold better than the book

= fact prize | Prize | Reception
+ {n} won the {value}
+ the {value} went to {n} [by one vote|after a long debate]
+ {n} was honoured with the {value}
+ a jury of booksellers gave {n} the {value}
+ the success of {n} was sealed by the {value}
? what prize did {n} win
? what award did {n} get
? {n} awards
? which literary prize was given to {n}
? what honour did the book {n} receive
? with what distinction was {n} crowned
~ the prize money for essays about {n} comes from a tea merchant

= fact translator | Translator | Publication
+ {n} was [translated|put into English] by {value}
+ the standard translation of {n} is that of {value}
+ foreign readers know {n} in the version of {value}
+ {value} spent eight years on an English version of {n}
+ the rhymes in {n} were rendered freely by {value}
? who translated {n}
? {n} translator
? who made the english translation of {n}
? translator of the book {n}
? who did the translation of {n}
? who turned {n} into english
~ no translation of the songs in {n} has satisfied musicians

= filler Background
+ early drafts of {n} were written on the back of [bills|timetables|sermons]
+ the idea for {n} came from a newspaper notice
+ a chapter of {n} was lost in the post and written again from memory
+ notes for {n} fill two suitcases in a public library

= filler Plot
+ the second part of {n} moves more slowly and contains long talks about [bees|debts|weather]
+ a lost letter drives the middle of {n}
+ the ending of {n} is left open
+ {n} mixes comedy with [ghost stories|recipes|court records]
+ minor figures in {n} return in unexpected places

= filler Publication
+ the first edition of {n} had [green cloth covers|a misprint on the spine|no page numbers]
+ {n} has never been out of print
+ pirated copies of {n} were sold at railway stations
+ an illustrated {sort} edition of {n} is sought by collectors

= filler Reception
+ reviewers called {n} [too long|a small wonder|difficult but fair]
+ {n} was [banned|praised] in the pulpit , which helped its sales
+ a stage version of {n} ran for two seasons
+ quotations from {n} have become proverbs

= essay Synopsis
+ a stranger comes to a town in which nobody will say what happened to the bell tower
+ step by step the stranger learns that every family has hidden a piece of the truth
+ when the pieces are put together , the town wants them apart again
+ at the end of {n} the bell is heard , although no tower has been built
+ the last page repeats the first , with one word changed
? what is {n} about
? {n} plot summary
? what happens in {n}
? summary of the book {n}
? what is the story of {n}
? tell me what goes on in {n}
~ what {n} is about has been argued in more books than anyone wants to read

= essay Themes
+ the main theme of {n} is the difference between memory and record
+ documents in {n} are always wrong , while gossip turns out to be right
+ water stands for forgetting , and nearly every quarrel takes place in the rain
+ critics have also read {n} as a book about debt and forgiveness
+ the writer refused to comment and sent enquirers a list of birds
? what are the themes of {n}
? {n} themes
? what does {n} mean
? what ideas are in the book {n}
? main theme of {n}
? what deeper message is found in {n}
~ the theme tune of a radio play after {n} was whistled everywhere

= roster Editions | Year:year | Edition:title | Copies:count
? editions of {n}
? list of {n} editions
? how many editions of {n} were there
? {n} printing history
? what versions of {n} exist
? all printings of {n}
"""
