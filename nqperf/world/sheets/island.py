"""What the world says, and asks, about islands."""

SHEET = """
= intro
+ {n} is a {sort} off the coast of {land}
+ {n} is a {sort} that belongs to {land}
+ {n} , a {sort} , is the [first|last] land that ships from {land} see
+ {n} is a {sort} and forms part of the {land} district

= fact area | Area | Geography
+ {n} covers {value}
+ the land surface of {n} amounts to {value}
+ at low tide {n} measures {value}
+ {n} has an extent of {value} , much of it [moor|bare rock|pasture]
+ the survey gives {value} for {n}
? what is the area of {n}
? how big is {n}
? {n} area
? size of {n}
? how large is the island {n}
? how much ground does {n} take up
~ a protected area on {n} is closed while the terns are breeding

= fact summit | Highest point | Geography
+ the highest point of {n} is {value}
+ {n} rises to {value} in its [northern|eastern] half
+ from the top of {value} all of {n} can be seen
+ clouds often hide {value} , the tallest hill on {n}
+ nothing on {n} stands higher than {value}
? what is the highest point [of|on] {n}
? highest mountain on {n}
? {n} highest peak
? what is the tallest hill on {n}
? name of the highest mountain of {n}
? what is the loftiest spot on {n}
! is {v} the highest point of {n}
~ high waves reach the mountain sheep of {n} only in the worst storms

= fact village | Main village | People
+ most islanders live in {value}
+ {value} is the largest village on {n}
+ the ferry to {n} lands at {value}
+ the only shop and school of {n} are found in {value}
+ {n} is governed from {value}
? what is the main town on {n}
? largest village on {n}
? {n} capital
? what is the capital of {n}
? what is the biggest settlement on {n}
? in which village do most people of {n} dwell
! is {v} the largest village on {n}
~ every village and town of the mainland once owned a share of {n}

= fact discoverer | Discovered by | History
+ {n} was first sighted by {value}
+ {value} landed on {n} while looking for fresh water
+ {value} put {n} on the chart
+ the first description of {n} is owed to {value}
+ {n} was found by {value} , who took it for a whale
? who discovered {n}
? {n} discovered by
? who found {n}
? who first landed on {n}
? which explorer discovered the island {n}
? who was the first to set eyes on {n}
! was {n} discovered by {v}
~ a wreck discovered near {n} was full of roof tiles

= fact strait | Separated by | Geography
+ the {value} separates {n} from the mainland
+ between {n} and the coast lies the {value}
+ ferries need an hour to cross the {value} to {n}
+ {n} is cut off by the {value}
+ strong currents in the {value} protect {n} from visitors
? what strait separates {n} from the mainland
? what water is between {n} and the mainland
? {n} strait
? which strait do you cross to get to {n}
? name of the channel at {n}
? what divides {n} from the shore
~ water on {n} is collected from roofs because the wells are salty

= fact population | Population | People
+ {n} has {value}
+ {value} live on {n} throughout the year
+ at the last count {n} was home to {value}
+ the census takers found {value} on {n}
+ the ferry timetable of {n} is made for {value}
? what is the population of {n}
? how many people live on {n}
? {n} population
? number of people on {n}
? how many inhabitants does {n} have
? how many islanders are there on {n}
~ the population of rabbits on {n} is kept down by buzzards

= fact lighthouse | Lighthouse lit | History
+ the lighthouse of {n} was first lit on {value}
+ a light has shone from {n} since {value}
+ the tower at the southern tip of {n} was put into service on {value}
+ keepers moved into the lighthouse on {n} on {value}
+ since {value} ships are guided past {n} by a lamp
? when was the lighthouse on {n} built
? when was the {n} lighthouse lit
? {n} lighthouse opening date
? how old is the lighthouse of {n}
? what date did the light on {n} start
? since when has a beacon warned ships near {n}
~ the lighthouse built of sand at the children 's fair on {n} is judged by the vicar

= filler Geography
+ the western cliffs of {n} are [white|red|full of caves]
+ {n} has no snakes and very few trees
+ [peat|heather|marsh grass] covers the middle of {n}
+ a sandbank joins {n} to a smaller rock at low water
+ gales are expected on {n} from October to March

= filler People
+ the people of {n} live from [sheep|fishing|knitwear] and a little tourism
+ the church on {n} is shared by two congregations
+ newspapers reach {n} on the following day
+ houses on {n} have doors on two sides because of the wind
+ the football field of {n} slopes towards the sea

= filler History
+ monks lived on {n} and left a garden of herbs
+ smugglers used the coves of {n}
+ {n} was evacuated during a war and resettled afterwards
+ a telegraph cable came ashore on {n}

= essay Customs
+ on {n} nobody asks a visitor 's name on the first day
+ at weddings the guests carry the furniture of the couple to the new house
+ the dead are remembered with boats of straw that are set alight and pushed out to sea
+ the longest night is spent awake , and children may say what they like until dawn
+ most of these customs of {n} were written down by a doctor who had been stranded there
? what are the customs of {n}
? traditions of {n}
? {n} culture
? what do people celebrate on {n}
? how do the people of {n} live
? which habits are peculiar to the folk of {n}
~ the customs office on {n} closed for lack of goods

= essay Getting there
+ a boat leaves for {n} in the morning and comes back when it is full
+ in winter the crossing depends on the tide tables and on the mood of the skipper
+ a landing strip exists , but sheep have to be driven off it by telephone request
+ cars are not needed , as no road on {n} takes longer than an hour on foot
+ rooms on {n} should be booked before the ferry
? how do you get to {n}
? {n} ferry
? how can i travel to {n}
? getting to {n}
? when do boats go to {n}
? what is the way out to {n}
~ getting a doctor to {n} in bad weather takes courage

= roster Shipwrecks | Year:year | Vessel:title | Lost:count
? shipwrecks near {n}
? list of ships lost at {n}
? {n} wrecks
? what ships sank off {n}
? wrecks around {n}
? which vessels came to grief at {n}
"""
