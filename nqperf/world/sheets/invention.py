"""What the world says, and asks, about inventions."""

SHEET = """
= intro
+ {n} is a {sort} that was developed in {land}
+ {n} is a {sort} used in [workshops|kitchens|harbours] throughout {land}
+ {n} , a {sort} , was for a time the pride of {land}
+ {n} is a {sort} known far beyond {land}

= fact inventor | Inventor | Development
+ {n} was invented by {value}
+ {value} [developed|built] {n} from parts of a [loom|barrel organ|bicycle]
+ the idea of {n} came to {value} on a train
+ {n} goes back to experiments by {value}
+ {n} made {value} famous
? who invented {n}
? {n} inventor
? who was the inventor of {n}
? who came up with {n}
? who created {n}
? whose brainchild is {n}
! was {n} invented by {v}
~ the inventor of the cover for {n} earned more than anybody else

= fact patented | Patented | Development
+ a patent for {n} was granted on {value}
+ the drawings of {n} were registered on {value}
+ {n} was protected by law from {value}
+ the patent office stamped the papers of {n} on {value}
+ {n} obtained its patent on {value} after [two|four] appeals
? when was {n} [patented|invented]
? {n} patent date
? what date was {n} patented
? when was the patent for {n} given
? when did {n} get its patent
? since when has {n} been protected
~ patent leather was used for the handle of {n} in the luxury version

= fact maker | Manufacturer | Production
+ {n} was manufactured by {value}
+ {value} bought the licence for {n}
+ the first thousand pieces of {n} left the works of {value}
+ {n} was a mainstay of {value} for years
+ every genuine {N} bears the stamp of {value}
? who makes {n}
? {n} manufacturer
? what company made {n}
? which company produced {n}
? who manufactured {n}
? what firm turned out {n}
! was {n} made by {v}
~ a company of actors made fun of {n} in a revue

= fact shown | First shown | Development
+ {n} was first demonstrated in {value}
+ the public saw {n} for the first time in {value}
+ a crowd in {value} watched the first trial of {n}
+ the trial run of {n} took place at a fair in {value}
+ {n} exploded at its first showing in {value} , but nobody was hurt
? where was {n} first shown
? where was {n} first demonstrated
? {n} first demonstration place
? what town first saw {n}
? where was {n} tested first
? in which place was {n} unveiled
! was {n} first shown in {v}
~ a first look at {n} cost visitors of the museum a small fee

= fact power | Power source | Function
+ {n} runs on {value}
+ {n} is driven by {value}
+ {value} supplies the force for {n}
+ unlike its challengers , {n} needs only {value}
+ {value} , which was cheap at the time , keeps {n} going
? what powers {n}
? what does {n} run on
? {n} power source
? what fuel does {n} use
? how is {n} powered
? by what force is {n} moved
! does {n} run on {v}
~ the power of habit kept {n} in use , as one engineer put it

= fact weight | Weight | Function
+ {n} weighs {value}
+ with its case {n} comes to {value}
+ at {value} , {n} could be carried by [one person|two people]
+ the scales show {value} for {n}
+ engineers reduced {n} to {value}
? how much does {n} weigh
? {n} weight
? what is the weight of {n}
? how heavy is {n}
? weight of {n} in kilograms
? how many kilograms must one lift to move {n}
~ how much {n} was loved is shown by the many toys in its form

= fact price | First price | Production
+ the first version of {n} was sold for {value}
+ {n} cost {value} when it came out
+ buyers paid {value} for {n}
+ at {value} , {n} was [a luxury|cheaper than a goat]
+ the price of {n} was set at {value}
? how much did {n} cost
? {n} original price
? what was the price of {n}
? how much was {n} when it came out
? first price of {n}
? what did one have to pay for {n} at the start
~ no price is too high for collectors of early advertisements for {n}

= filler Development
+ an early model of {n} was made of [cork|tin|cardboard]
+ neighbours complained about the noise of {n}
+ a notebook with sketches of {n} was found behind a stove
+ {n} failed its first two tests
+ a bank refused a loan for {n}

= filler Production
+ spare parts for {n} can still be ordered by post
+ forgeries of {n} are common and often better than the original
+ {n} was packed in [straw|sawdust] and sent by rail
+ production of {n} moved twice in ten years

= filler Function
+ the moving parts of {n} are protected by a brass cover
+ {n} must be oiled every [week|month]
+ children were warned not to touch {n}
+ a small bell tells the user of {n} when to stop
+ left handed versions of {n} exist

= essay Principle
+ {n} uses the fact that a wet cord becomes shorter as it dries
+ two cords pull in turn on a wheel , which is kept from running back by a tooth of hard wood
+ the slow movement is passed on through a chain of gears
+ in damp weather {n} rests and gains tension , and it works best in a dry wind
+ later forms of {n} replaced the cord by a metal spring
? how does {n} work
? {n} working principle
? explain {n}
? what is the principle of {n}
? how do you use {n}
? in what way does {n} function
~ work clothes with a picture of {n} are sold as souvenirs

= essay Decline
+ {n} was at its peak when every third household owned one
+ then a simpler device appeared that could be mended with a spoon
+ shops gave {n} away with a sack of flour , and schools used it as a door stop
+ only in remote valleys did {n} remain in daily use
+ today clubs restore {n} and meet once a year to let it run
? why did people stop using {n}
? what happened to {n}
? {n} decline
? did {n} go out of use and why
? why did {n} disappear
? how did {n} go out of fashion
~ {n} happened to stand on the table when a famous photograph was taken

= roster Models | Year:year | Name:title | Pieces made:count
? {n} models
? list of versions of {n}
? different types of {n}
? {n} variants
? what models of {n} were made
? all kinds of {n} that exist
"""
