"""What the world says, and asks, about bridges."""

SHEET = """
= intro
+ {n} is a {sort} in {land}
+ {n} is a {sort} and one of the best known structures of {land}
+ {n} , a {sort} , carries the old trade road through {land}
+ {n} is a {sort} that appears on the [stamps|coins|maps] of {land}

= fact opened | Opened | History
+ {n} was opened to traffic on {value}
+ the first carts rolled over {n} on {value}
+ {n} was completed on {value} after [three|five] summers of work
+ a brass band played on {n} at its inauguration on {value}
+ tolls have been taken at {n} since {value}
? when was {n} [built|opened]
? when did {n} open
? {n} opening date
? how old is {n}
? what date was {n} finished
? since when can people walk across {n}
~ a snack bar opened under {n} is popular with anglers

= fact designer | Designer | Design
+ {n} was designed by {value}
+ the drawings for {n} are by {value}
+ {value} won the competition to build {n}
+ {n} is the work of {value}
+ {value} calculated {n} without the help of models
? who designed {n}
? who built {n}
? {n} architect
? who was the engineer of {n}
? which engineer designed the bridge {n}
? who drew the plans of {n}
! was {n} designed by {v}
~ a tea towel with {n} on it was designed by pupils

= fact length | Length | Design
+ {n} is {value} long
+ {n} [spans|stretches over] {value}
+ from one bank to the other {n} measures {value}
+ the deck of {n} has a length of {value}
+ pedestrians on {n} walk {value} without shade
? how long is {n}
? what is the length of {n}
? {n} length
? length of the bridge {n} in metres
? how many metres is {n}
? what is the reach of {n} from end to end
~ for a long time there was a ban on trotting on {n}

= fact river | Crosses | Location
+ {n} crosses the {value}
+ {n} [leads|takes the road] over the {value}
+ under {n} flows the {value}
+ the piers of {n} stand in the {value}
+ {n} joins both banks of the {value}
? what river does {n} cross
? which river is under {n}
? {n} river
? what water does {n} go over
? what does {n} cross
? which stream passes below {n}
! does {n} cross the {v}
~ river pilots cross themselves when they pass under {n}

= fact cost | Cost | History
+ the building of {n} cost {value}
+ {value} were spent on {n}
+ parliament set aside {value} for {n}
+ {n} was finished for {value} , less than planned
+ the bill for {n} came to {value}
? how much did {n} cost
? what did {n} cost to build
? {n} cost
? price of {n}
? construction cost of the bridge {n}
? how expensive was {n}
~ the cost of crossing {n} with a goose was fixed by law

= fact material | Material | Design
+ {n} is made of {value}
+ the arches of {n} consist of {value}
+ {value} was chosen for {n} because it was near at hand
+ {n} was the first structure of its kind in {value}
+ boats brought the {value} for {n}
? what is {n} made of
? what material is {n}
? {n} building material
? what was used to build {n}
? which material was the bridge {n} built from
? what stuff are the arches of {n}
! is {n} made of {v}
~ models of {n} made by confectioners are eaten at weddings

= fact town | Town | Location
+ {n} stands at the edge of {value}
+ {n} is in {value}
+ the road over {n} leads straight to the market of {value}
+ {value} uses {n} as its coat of arms
+ the lamps on {n} are looked after by {value}
? where is {n}
? what town is {n} in
? {n} location
? where can i find {n}
? in which town is the bridge {n}
? what place does {n} belong to
! is {n} in {v}
~ the town crier had to shout twice at each end of {n}

= filler History
+ {n} was [mined but not blown up|closed to lorries|painted in camouflage] during the war
+ ice damaged {n} in a hard winter
+ a toll keeper of {n} became rich and [built a villa|was dismissed]
+ the lamps of {n} were once lit with fish oil

= filler Design
+ the railings of {n} show [fish|oak leaves|masks]
+ {n} swings slightly in strong wind
+ the foundations of {n} go down deeper than expected
+ a footpath was later added to the [north|south] side of {n}
+ swallows nest in the joints of {n}

= filler Location
+ from {n} there is a view of [vineyards|factories|the hills]
+ fishermen gather below {n} in the early morning
+ a chapel beside {n} is dedicated to travellers
+ trams crossed {n} until the tracks wore out

= essay Construction
+ work on {n} began with two wooden towers from which cables were thrown across by kite
+ divers then cleared the river bed , working in shifts of twenty minutes
+ the stones of {n} were numbered in the quarry and put together without mortar
+ when the scaffolding was taken away , the middle sank by a hand 's width and stayed there
+ the builders of {n} were paid in land on both banks
? how was {n} built
? {n} construction
? how did they build {n}
? building of {n}
? explain the construction of {n}
? by which steps was {n} put up
~ construction toys in the form of {n} are made locally

= essay Collapse
+ one span of {n} fell on a calm night without warning
+ nobody was hurt , because a funeral had stopped the traffic on both sides
+ the inquiry found that a drain had been blocked and had washed out the foundation
+ for two years people crossed the gap at {n} on a ferry made of doors
+ since the repair , {n} is inspected every spring
? why did {n} collapse
? {n} collapse
? what happened when {n} fell
? cause of the {n} disaster
? how did a part of {n} break
? what brought {n} down
~ the collapse of a tent beside {n} ended the first bridge festival

= roster Repairs | Year:year | Part:title | Workers:count
? repairs to {n}
? list of {n} renovations
? when was {n} repaired
? {n} repair history
? what works were done on {n}
? all the times {n} was mended
"""
