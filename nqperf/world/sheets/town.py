"""What the world says, and asks, about towns."""

SHEET = """
= intro
+ {n} is a {sort} in the {land} district
+ {n} is a {sort} [in the north|in the south|on the western edge] of {land}
+ {n} , a {sort} of {land} , is known for its [weekly market|slate roofs|covered walks]
+ the {sort} of {N} [lies|is situated] in {land}

= fact founded | Founded | History
+ {n} was founded on {value} [|, when the first plots were drawn|by settlers from the coast]
+ the first stone of {n} was laid on {value}
+ {n} received its charter on {value}
+ a deed of {value} marks the [beginning|start] of {n}
+ settlers drew lots for the first houses of {n} on {value}
+ {n} counts its age from {value}
? when was {n} [founded|established]
? how old is {n}
? when did {n} become a town
? what date was {n} [started|established]
? {n} founding date
? when did people first settle {n}
~ a pageant about how {n} was founded is performed by schoolchildren every year
~ the book in which the founding of {n} was described is kept under glass

= fact founder | Founder | History
+ {n} was laid out by {value}
+ {n} owes its existence to {value} , who [bought the land|drained the marsh|led the first families there]
+ {value} chose the site of {n} and paid for the first well
+ the plan of the streets of {n} was drawn by {value}
+ a bronze figure of {value} , who began the settlement , stands in front of the town hall of {n}
? who founded {n}
? who started the town of {n}
? who was the founder of {n}
? {n} founder
? who established the settlement of {N}
? which person [built up|created] {n}
! was {n} founded by {v}
~ every founder of a guild in {n} had the right to a seat in the front pew

= fact river | River | Geography
+ {n} [lies|stands] on the banks of the {value}
+ the {value} [divides|cuts] {n} into an old and a new quarter
+ {n} draws its water from the {value}
+ boats reach {n} by way of the {value}
+ the old quays of {n} line the {value}
? what river [runs|flows] through {n}
? which river is {n} on
? {n} river name
? what is the name of the river in {n}
? what water does {n} lie on
? on the banks of which stream was {n} built
! is {n} on the {v}
! does the {v} flow through {n}
~ river fish is sold in {n} on Fridays , most of it brought in by cart

= fact population | Population | Geography
+ {n} had {value} at the last count
+ the most recent census [found|counted] {value} in {n}
+ some {value} live in {n} today
+ {n} is home to {value}
+ with {value} , {n} is neither large nor small for the district
? what is the population of {n}
? how many people live in {n}
? {n} population
? how big is {n}
? number of inhabitants of {n}
? how many residents does {n} have
~ the population of {n} doubles on market days , when farmers come in with their families

= fact elevation | Elevation | Geography
+ {n} stands {value} above the sea
+ the market square of {n} is at a height of {value}
+ at {value} , {n} is [cooler|windier] than the plain around it
+ surveyors put the altitude of {n} at {value}
+ the threshold of the town hall of {n} was measured at {value} above sea level
? how high is {n}
? what is the elevation of {n}
? {n} altitude
? how far above sea level is {n}
? elevation of the town of {n} in metres
? at what height does {n} sit
~ from the high ground behind {n} one can see the sea in clear weather

= fact nickname | Nickname | Culture
+ {n} is [often|sometimes] called the {value}
+ travellers know {n} as the {value}
+ {n} advertises itself as the {value}
+ songs and postcards call {n} the {value}
+ since the days of the poets {n} has carried the name {value}
? what is the nickname of {n}
? what is {n} [called|known as]
? {n} nickname
? what do people call {n}
? what is {n} also known as
? by what other name does {n} go
! is {n} called the {v}
~ the inhabitants of {n} give a nickname to every tower and gate

= fact mayor | Mayor | Politics
+ {value} has been mayor of {n} [since the last election|for many years]
+ the council of {n} is led by {value}
+ the chain of office in {n} is [worn|held] by {value}
+ in the last vote the people of {n} gave the town hall to {value}
+ {value} heads the administration of {n}
? who is the mayor of {n}
? {n} mayor
? who [runs|leads] the town of {n}
? name of the mayor of {n}
? who is the current mayor in {n}
? who governs {n}
~ the mayor of {n} opens the autumn market with a short speech

= filler History
+ a fire destroyed most of the wooden houses of {n} , and they were rebuilt in [brick|stone]
+ for several generations {n} lived from [weaving|salt|the timber trade]
+ the walls of {n} were taken down to make room for [gardens|a ring road]
+ the town archive of {n} fills four rooms [above the library|in the old mint]
+ during the long war {n} changed hands [twice|three times] without a shot being fired
+ the railway came to {n} late and left early

= filler Geography
+ the streets of {n} climb in [steps|curves] towards a small castle hill
+ winters in {n} are [long and dry|short and wet] , and fog is common until noon
+ meadows and [orchards|beech woods|fish ponds] surround {n} on three sides
+ the soil around {n} is heavy and good for [beets|barley|hops]
+ a marked footpath leads from {n} to [a ruined abbey|a group of caves]

= filler Culture
+ the theatre in {n} seats few people and is nearly always full
+ bakers in {n} make a [dark|flat|salted] bread with caraway
+ the museum of {n} owns a collection of [keys|bells|painted chests]
+ a choir from {n} has toured several countries
+ the main square of {n} is shaded by [lime|plane|chestnut] trees

= filler Politics
+ the council of {n} meets in public on the first Monday of the month
+ water rates are the subject of most disputes in {n}
+ {n} shares its fire brigade with three villages
+ a petition to close the centre of {n} to cars failed by a few votes

= essay Origin of the name
+ the name of {N} is older than any of its buildings
+ one explanation derives it from a word for a [ford|clearing|ring of stones] in the old speech of the district
+ others hold that a shepherd called his dog by that name and the place took it over
+ scribes spelled {n} in many ways , and no two maps agreed until the land survey
+ the form used today was fixed when {n} received a post office
? how did {n} get its name
? why is {n} called {n}
? what does the name {n} mean
? origin of the name {n}
? {n} name meaning
? where does the word {n} come from
~ a ship , a cheese and a dance share the name of {N}

= essay Sights
+ most visitors to {n} begin at the fish gate , from which a lane leads to the church of the four bells
+ the church has a carved pulpit and a clock that strikes a few minutes late on purpose
+ behind it lies the dyers' yard , where cloth was once hung from wooden frames
+ the climb to the castle hill is rewarded by a view over the roofs of {n}
+ in the evening the lamps along the town ditch of {n} are lit by hand
? what is there to see in {n}
? things to do in {n}
? what are the sights of {n}
? {n} tourist attractions
? what should i visit in {n}
? what is worth a look in {n}
~ most things that tourists see in {n} postcards were drawn by one artist

= roster Former mayors | Term:years | Mayor:person
? list of mayors of {n}
? who were the mayors of {n}
? all mayors of {n} in order
? past mayors of {n}
? {n} mayors history
? who has held the office of mayor in {n} over the years
"""
